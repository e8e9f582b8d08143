// Reach: which edges have a backend, so that no edge that reaches nobody takes the place of one that does (K11 of the contract).
//
//   edge --ready, standby, reach--> Reach <--mayReplace-- keeper.ts
//
// A mistyped setting or files of another protocol give an edge that starts, says that it is ready, and answers no client.
//
//   R1. An edge that says nothing of it (of an earlier version) counts as one that reaches backends.

import type { EdgeSays } from "../../lib/contracts/index.js";

export class Reach {
  readonly #blind = new WeakSet<object>();

  /** @returns whether this changed what is known of the edge. */
  heard(edge: object, message: EdgeSays): boolean {
    if (message.kind !== "ready" && message.kind !== "standby" && message.kind !== "reach") return false;
    const before = this.reaches(edge);
    if (message.reaches === false) this.#blind.add(edge);
    else this.#blind.delete(edge);
    return before !== this.reaches(edge);
  }

  /** R1 */
  reaches(edge: object): boolean {
    return !this.#blind.has(edge);
  }

  /** Whether the new one does what the old one does. */
  mayReplace(fresh: object, old: object | undefined): boolean {
    return !old || this.reaches(fresh) || !this.reaches(old);
  }
}
