// Chance that can be had again: every random choice of a run comes from one number, so that a run that broke something is run
// again by its seed.

/** mulberry32: 32 bits of state, passes the usual tests, and is five lines (Tommy Ettinger, public domain). */
export class Seed {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** From 0 to 1, exclusive. */
  next(): number {
    this.#state = (this.#state + 0x6d2b_79f5) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  /** A whole number from `least` to `most`, both included. */
  int(least: number, most: number): number {
    return least + Math.floor(this.next() * (most - least + 1));
  }

  /** True in this part of the cases, 0 to 1. */
  chance(part: number): boolean {
    return this.next() < part;
  }

  /** The same things in another order. */
  shuffled<T>(things: readonly T[]): T[] {
    const left = [...things];
    const order: T[] = [];
    while (left.length > 0) order.push(...left.splice(this.int(0, left.length - 1), 1));
    return order;
  }
}
