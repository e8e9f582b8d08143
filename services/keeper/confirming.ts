// Confirming: clients that were given to an edge and have not arrived there are noticed (K12 of the contract).
//
//   Roll --given--> soon --ASK_MS later--> confirm(n) --in turn, behind all sockets--> edge --took ..., confirmed(n)--> Roll.missing
//
// An edge without a free file descriptor loses sockets, and Node says nothing of it. No time is judged: the question travels behind the
// sockets, so whatever has not arrived when it is answered never will.

import type { KeeperEvent } from "../../lib/contracts/index.js";
import type { EdgePort, KeptSocket } from "./ports.js";
import type { Roll } from "./roll.js";

/** One question for a storm's worth of clients. */
const ASK_MS = 500;

export interface ConfirmingHooks<S> {
  serving(): EdgePort<S> | undefined;
  later(ms: number, what: () => void): unknown;
  log(event: KeeperEvent, fields?: Readonly<Record<string, unknown>>): void;
}

export class Confirming<S extends KeptSocket> {
  #asking = false;

  constructor(
    private readonly roll: Roll<S>,
    private readonly hooks: ConfirmingHooks<S>,
  ) {}

  /** A client was given. Safe again while it goes on. */
  soon(): void {
    if (this.#asking) return;
    this.#asking = true;
    this.hooks.later(ASK_MS, () => {
      this.#asking = false;
      this.hooks.serving()?.tell({ kind: "confirm", nth: this.roll.given });
    });
  }

  /** The edge has read everything up to there. */
  confirmed(edge: EdgePort<S>, nth: number): void {
    this.missing(edge, this.roll.unconfirmed(edge, nth));
  }

  missing(edge: EdgePort<S>, ids: readonly number[]): void {
    const counts = { again: 0, closed: 0, other: 0 };
    for (const id of ids) counts[this.roll.missing(edge, id)]++;
    const said = { epoch: edge.epoch };
    if (counts.again > 0)
      this.hooks.log("clients did not reach the edge: they are given again", { ...said, count: counts.again });
    if (counts.closed > 0) {
      const event = "clients did not reach the edge twice: they are closed (is it out of file descriptors?)";
      this.hooks.log(event, { ...said, count: counts.closed });
    }
  }
}
