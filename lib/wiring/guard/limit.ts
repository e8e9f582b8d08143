// Limit: how many calls a client may have under way. Beyond it a call is refused with OVERLOADED at once, so that a caller
// that never waits cannot fill the memory with promises.

export class Limit {
  #taken = 0;

  /** @param max Calls of one service, waiting ones included. */
  constructor(readonly max: number) {}

  get taken(): number {
    return this.#taken;
  }

  /** False: full. */
  take(): boolean {
    if (this.#taken >= this.max) return false;
    this.#taken += 1;
    return true;
  }

  /** One that has begun already: beyond the limit if need be, and the next take() is refused. */
  add(): void {
    this.#taken += 1;
  }

  give(): void {
    this.#taken -= 1;
  }
}
