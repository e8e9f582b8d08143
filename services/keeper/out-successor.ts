// out-successor: the keeper that takes over from this one.
//
//   fork --> it says `ready` --> shareDoors: both listen --> Keeper gives it every client --> giveUp --> `taken` --> we end
//                     \-> it ends at any time before: everything is still ours, and its listener hears of it as of any edge's end
//
// It is started by our own command line, so by what lies on disk there now, in a process group of its own.

import type { Socket } from "node:net";
import type { EdgeSays, SuccessorSays } from "../../lib/contracts/index.js";
import type { OpenDoor } from "./in-clients.js";
import { successorEnvironment } from "./in-predecessor.js";
import { type EdgeListener, type EdgeProcess, forkEdge } from "./out-edge.js";
import type { EdgePort, Reserved } from "./ports.js";

export class Successor {
  #process: EdgeProcess | undefined;
  #left = false;

  constructor(
    /** Ours; emptied when they are given up. */
    private readonly doors: OpenDoor[],
    private readonly listener: EdgeListener,
    private readonly reopen: () => Promise<void>,
    /** It has everything; this process may end. */
    private readonly done: () => void,
  ) {}

  is(edge: EdgePort<Socket>): boolean {
    return edge === this.#process;
  }

  fork(reserved: Reserved): EdgePort<Socket> {
    const command = [process.execPath, ...process.execArgv, ...process.argv.slice(1)];
    const listener: EdgeListener = {
      heard: (edge, message) => this.#heard(edge, message),
      ended: (edge, how) => this.#ended(edge, how),
    };
    this.#process = forkEdge(command, successorEnvironment(reserved), reserved.epoch, listener, { detached: true });
    return this.#process;
  }

  /** From here on both of us take new clients; ours are given to it like all others. */
  shareDoors(): void {
    this.doors.forEach(({ server }, index) => {
      this.#process?.give({ kind: "door", index }, server);
    });
  }

  /** It was given every client. */
  giveUp(): void {
    this.#left = true;
    for (const door of this.doors.splice(0)) door.leave();
    this.#process?.give({ kind: "yours" });
  }

  #heard(edge: EdgeProcess, message: EdgeSays | SuccessorSays): void {
    if (message.kind === "taken") this.done();
    else this.listener.heard(edge, message);
  }

  #ended(edge: EdgeProcess, how: string): void {
    this.#process = undefined;
    this.listener.ended(edge, how);
    if (!this.#left) return;
    this.#left = false;
    void this.reopen();
  }
}
