// One thing after another: commands to one watcher take turns. A failed one does not hold up the next.

import { CircusError } from "./errors.js";

/** Commands waiting for one watcher: more means that somebody sends them in a loop. */
const WAITING_MAX = 64;

export class Turns {
  #last: Promise<unknown> = Promise.resolve();
  #waiting = 0;

  constructor(private readonly name: () => string) {}

  /** @throws {CircusError} REFUSED when too many wait already; whatever `act` throws. */
  async take<Value>(act: () => Promise<Value>): Promise<Value> {
    if (this.#waiting >= WAITING_MAX) {
      throw new CircusError("REFUSED", `${this.name()} has ${WAITING_MAX} commands waiting already`);
    }
    this.#waiting++;
    const turn = this.#last.then(act);
    this.#last = turn.catch(() => undefined);
    try {
      return await turn;
    } finally {
      this.#waiting--;
    }
  }
}
