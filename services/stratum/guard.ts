// Exceptions, kept to the connection whose work threw.
//
//   in-lines, judging, broadcast --run(where, connection, act)--> act      it throws --> logged, counted, the connection closed
//
//   S5. An exception in the work for one connection leaves every other connection served: their lines of the same batch are read,
//       a broadcast reaches them, and the line that failed is acknowledged, so that a hand-over does not wait for it.
//   G1. A connection that mines and meets an exception is closed, so that it comes back with its session; but at most
//       CLOSES_PER_SECOND_MAX a second are. More than that is a fault of the code that every miner would meet again on its return.

import type { Handle, LineNumber, Out } from "../../lib/contracts/index.js";
import { type Log, type PeerId, Seldom } from "../../lib/wiring/index.js";
import type { Connection } from "./connections.js";
import type { Outbox } from "./ports.js";
import type { Tally } from "./tally.js";

/** G1 */
export const CLOSES_PER_SECOND_MAX = 10;
const LOG_EVERY_MS = 1_000;
const TEXT = "The pool failed to handle this connection: connect again";

/** Whose work threw: a connection, or only the name of one that could not be opened. */
export interface Place {
  readonly edge: PeerId;
  readonly handle: Handle;
}

export interface GuardParts {
  readonly log: Log;
  readonly tally: Tally;
  readonly out: Outbox;
  find(place: Place): Connection | undefined;
}

export class Guard {
  readonly #complaints = new Seldom(LOG_EVERY_MS);
  #secondMs = Number.NEGATIVE_INFINITY;
  #closes = 0;

  constructor(private readonly parts: GuardParts) {}

  /** Does it; never throws. */
  run(where: string, place: Place, act: () => void): void {
    try {
      act();
    } catch (error) {
      this.failed(where, place, error);
    }
  }

  /** What `run` does with an exception, for work that goes on later. Never throws. @param line to acknowledge. */
  failed(where: string, place: Place, error: unknown, line?: LineNumber): void {
    const { log, tally, out } = this.parts;
    try {
      const connection = this.parts.find(place);
      const kept = this.#complaints.pass();
      tally.count("stratum.exceptions", 1, ["at", where]);
      if (kept !== undefined)
        log.error(
          { err: error, connection: connection?.id, edge: place.edge, handle: place.handle, where, unsaid: kept },
          "an exception while one connection was served; the others are served on, this one is closed and may come back",
        );
      const write: Out & { kind: "write" } = { kind: "write", handle: place.handle };
      if (line !== undefined) write.acknowledges = [line];
      if (!connection?.closing && this.#mayClose(connection)) write.close = TEXT;
      if (connection && write.close !== undefined) connection.closing = true;
      if (write.acknowledges || write.close) out.say(place.edge, write);
    } catch (second) {
      log.error({ err: second, first: String(error), where }, "an exception was not handled as it should be");
    }
  }

  /** G1. One that does not mine has nothing to lose, and one that is unknown here would wait for ever. */
  #mayClose(connection: Connection | undefined): boolean {
    if (connection?.session.phase !== "mining") return true;
    const nowMs = performance.now();
    if (nowMs - this.#secondMs >= 1_000) {
      this.#secondMs = nowMs;
      this.#closes = 0;
    }
    return ++this.#closes <= CLOSES_PER_SECOND_MAX;
  }
}
