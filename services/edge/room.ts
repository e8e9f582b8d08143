// room: how much of what clients said is kept here at a time, unacknowledged. Pure.
//
//   R1. A client with linesMax lines, or bytesMax of them, has no room; all together hold at most heldBytesMax (one line each above it).
//   R2. Who had no room because of the others is told when there is some again.

import type { Connection } from "./connection.js";
import type { SwitchboardLimits } from "./ports.js";

/** Below this part of heldBytesMax reading goes on. */
const RELIEF = 0.75;

export class Room {
  readonly #starved = new Set<Connection>();
  heldBytes = 0;

  constructor(readonly limits: Pick<SwitchboardLimits, "linesMax" | "bytesMax" | "heldBytesMax">) {}

  isThere(connection: Connection): boolean {
    const { linesMax, bytesMax, heldBytesMax } = this.limits;
    if (connection.lines.length >= linesMax || connection.heldBytes >= bytesMax) return false;
    if (this.heldBytes < heldBytesMax) return true;
    this.#starved.add(connection);
    return false;
  }

  take(bytes: number): void {
    this.heldBytes += bytes;
  }

  free(bytes: number): void {
    this.heldBytes -= bytes;
    if (this.#starved.size === 0 || this.heldBytes > this.limits.heldBytesMax * RELIEF) return;
    const starved = [...this.#starved];
    this.#starved.clear();
    for (const { port } of starved) port.relieved(); // R2
  }

  /** The connection is closed, with all that it held. */
  leave(connection: Connection): void {
    this.#starved.delete(connection);
    this.free(connection.heldBytes);
  }
}
