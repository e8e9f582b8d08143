// in-predecessor: a keeper that takes over from another one, its parent, which gives it everything it holds.
//
//   predecessor --door(+ listening socket), client(+ socket), died, yours--> Keeper, doors
//   predecessor <--ready, meta, drop, taken--------------------------------- Keeper
//
//   I1. Nothing is read from a client here: the predecessor's edge may still be reading it.
//   I2. The predecessor keeps its duplicates until `taken`. Should either of the two end before that, the other one has what it
//       needs to go on: we, from the moment on at which we have its doors.

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
import type { Reserved } from "./keeper.js";
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
  client(message: ClientMessage, socket: Socket): void;
  /** The door is ours, too. */
  door(index: number, server: Server): void;
  died(pid: number): void;
  /** The predecessor ended before it had given everything. */
  gone(): void;
}

export class Predecessor {
  #taken = false;

  constructor(private readonly events: PredecessorEvents) {
    process.on("message", (message, handle) => {
      this.#hear(message as KeeperSays | SuccessorHears, handle as Socket | Server | undefined);
    });
    process.on("disconnect", () => {
      if (!this.#taken) events.gone(); // I2
    });
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
        if (!handle) this.tell({ kind: "drop", id: message.id });
        else {
          stopReading(handle as Socket); // I1
          this.events.client(message, handle as Socket);
        }
        break;
      case "door":
        this.events.door(message.index, handle as Server);
        break;
      case "died":
        this.events.died(message.pid);
        break;
      case "yours":
        this.tell({ kind: "taken" });
        this.#taken = true;
    }
  }
}
