// in-predecessor: a keeper that takes over from another one, its parent, which gives it everything it holds.
//
//   predecessor --keep(+ socket), door(+ listening socket), client, died, yours--> Keeper, doors
//   predecessor <--ready, kept, meta, drop, taken--------------------------------- Keeper
//
//   I1. Nothing is read from a client here: the predecessor's edge may still be reading it.
//   I2. The predecessor keeps its duplicates until `taken`. Should either of the two end before that, the other one has what it
//       needs to go on: we, from the moment on at which we have its doors.
//   I3. It may have ended before anybody here listens: then there is no event, only a closed channel, and that is looked at.

import type { Server, Socket } from "node:net";
import type {
  EdgeSays,
  FirstClientVariable,
  FirstEpochVariable,
  KeeperSays,
  PredecessorVariable,
  SuccessorHears,
  SuccessorSays,
} from "../../lib/contracts/index.js";
import { stopReading } from "./in-clients.js";
import type { Dead, Reserved } from "./ports.js";
import type { ClientMessage } from "./roll.js";

const PREDECESSOR: PredecessorVariable = "HEADFRAME_SUCCEEDS";
const FIRST_EPOCH: FirstEpochVariable = "HEADFRAME_KEEPER_EPOCH";
const FIRST_CLIENT: FirstClientVariable = "HEADFRAME_KEEPER_CLIENT";

/** What a predecessor sets in its successor's environment. */
export function successorEnvironment({ firstEpoch, firstClient }: Reserved): Record<string, string> {
  return {
    [PREDECESSOR]: String(process.pid),
    [FIRST_EPOCH]: String(firstEpoch),
    [FIRST_CLIENT]: String(firstClient),
  };
}

/** The numbers that are ours to begin with; undefined: nobody is before us. Read once: our children are nobody's successors. */
export function readSuccession(): Pick<Reserved, "firstEpoch" | "firstClient"> | undefined {
  const { [PREDECESSOR]: before, [FIRST_EPOCH]: epoch, [FIRST_CLIENT]: client } = process.env;
  for (const name of [PREDECESSOR, FIRST_EPOCH, FIRST_CLIENT]) delete process.env[name];
  if (before === undefined || !process.send) return undefined;
  return { firstEpoch: Number(epoch), firstClient: Number(client) };
}

export interface PredecessorEvents {
  /** @param socket Absent: it was lent before. False: the client has gone. */
  client(message: ClientMessage, socket: Socket | undefined): boolean;
  /** A client that may become ours. */
  keep(id: number, socket: Socket): void;
  forget(id: number): void;
  /** What was lent and not given since will not be. */
  over(): void;
  /** `kept` shall be said when all that was lent has arrived. */
  tellKept(): void;
  /** The door is ours, too. */
  door(index: number, server: Server): void;
  died(dead: Dead): void;
  /** The predecessor ended before it had given everything. */
  gone(): void;
}

export class Predecessor {
  #taken = false;

  constructor(private readonly events: PredecessorEvents) {
    process.on("message", (message, handle) => {
      this.#hear(message as KeeperSays | SuccessorHears, handle as Socket | Server | undefined);
    });
    process.on("disconnect", () => this.#over());
    if (!process.connected) setImmediate(() => this.#over()); // I3
  }

  #over(): void {
    this.events.over();
    if (!this.#taken) this.events.gone(); // I2
  }

  /** It is there, and has not given everything. */
  get giving(): boolean {
    return process.connected && !this.#taken;
  }

  tell(message: EdgeSays | SuccessorSays): void {
    if (this.giving && process.send) process.send(message, undefined, undefined, () => {});
  }

  #hear(message: KeeperSays | SuccessorHears, handle: Socket | Server | undefined): void {
    switch (message.kind) {
      case "client":
        if (handle) stopReading(handle as Socket); // I1
        if (!this.events.client(message, handle as Socket | undefined)) this.tell({ kind: "drop", id: message.id });
        break;
      case "keep":
        if (!handle) break;
        stopReading(handle as Socket); // I1
        this.events.keep(message.id, handle as Socket);
        break;
      case "forget":
        this.events.forget(message.id);
        break;
      case "tell-kept":
        this.events.tellKept();
        break;
      case "door":
        this.events.door(message.index, handle as Server);
        break;
      case "died":
        this.events.died(message);
        break;
      case "ping":
        this.tell({ kind: "pong" }); // The predecessor kills a successor that stands still (watch.ts), and goes on itself.
        break;
      case "yours":
        this.events.over();
        this.tell({ kind: "taken" });
        this.#taken = true;
    }
  }
}
