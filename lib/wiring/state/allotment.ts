// Allotment: small numbers that no two processes hand out, without asking Redis for each.
//
//   Redis counter --INCRBY blockSize (one block a time, the next one fetched early)--> Allotment --next()--> a number
//
//   A1. A number is handed out again only after `limit` others have been (less what crashed processes lost of their blocks).
//       With 2^32 that is four billion session starts: at a thousand a second, fifty days. Whoever hands a number to something
//       that may live longer must make sure itself (a session of fifty days at that rate is not impossible, only unlikely).
//   A2. next() waits for Redis only when the block in hand and the one fetched ahead are both used up.
//   A3. With Redis away, numbers are handed out while they last: between half a block and one and a half.
//   A4. A Redis that lost its counter starts again at a random place, not at 0, where the oldest live sessions are.

import type { Redis } from "ioredis";
import { key } from "./keys.js";
import { allot } from "./scripts/allot.js";

export interface AllotmentOptions {
  /** Numbers fetched at once. Default 1_024: a storm of reconnecting clients needs Redis seldom. */
  readonly blockSize?: number;
  /** Numbers are 0 .. limit - 1. Default 2^32. */
  readonly limit?: number;
}

interface Block {
  next: number;
  readonly end: number;
}

/** Numbers given back that are kept for handing out again. */
const RETURNED_MAX = 10_000;

export class Allotment {
  readonly #key: string;
  readonly #blockSize: number;
  readonly #limit: number;
  #block: Block = { next: 0, end: 0 };
  #ahead: Block | undefined;
  #fetching: Promise<void> | undefined;
  readonly #returned: number[] = [];

  private constructor(
    private readonly redis: Redis,
    cluster: string,
    name: string,
    options: AllotmentOptions,
  ) {
    this.#key = key(cluster, "allotment", name);
    this.#limit = options.limit ?? 2 ** 32;
    // Blocks divide the range evenly, so that none reaches over its end.
    this.#blockSize = largestDivisor(this.#limit, options.blockSize ?? 1_024);
  }

  /**
   * Resolves with a first block in hand.
   *
   * @param name What is numbered, `extranonce1`. Everyone who opens the same name must give the same limit.
   * @throws {Error} What Redis said.
   */
  static async open(redis: Redis, cluster: string, name: string, options: AllotmentOptions = {}): Promise<Allotment> {
    const allotment = new Allotment(redis, cluster, name, options);
    await allotment.#fetch();
    return allotment;
  }

  /** @throws {Error} When the numbers in hand are used up and Redis cannot be asked (nothing is lost: ask again). */
  async next(): Promise<number> {
    const returned = this.#returned.pop();
    if (returned !== undefined) return returned;
    while (this.#block.next === this.#block.end) {
      if (!this.#ahead) await this.#fetch();
      else this.#take(this.#ahead); // Others may have emptied it while we waited: look again.
    }
    const number = this.#block.next++;
    const left = this.#block.end - this.#block.next;
    if (!this.#ahead && left <= this.#blockSize / 2) this.#fetch().catch(() => {}); // A2. A failure is met when it matters.
    return number;
  }

  /** Gives back a number that was never used (its session did not come about): it is handed out next. */
  release(number: number): void {
    if (this.#returned.length < RETURNED_MAX) this.#returned.push(number);
  }

  #take(block: Block): void {
    this.#block = block;
    this.#ahead = undefined;
  }

  /** One at a time; resolves when there is a block ahead. */
  #fetch(): Promise<void> {
    this.#fetching ??= this.#ask().finally(() => {
      this.#fetching = undefined;
    });
    return this.#fetching;
  }

  async #ask(): Promise<void> {
    const blocks = this.#limit / this.#blockSize;
    const seed = Math.floor(Math.random() * blocks) * this.#blockSize; // A4
    const start = Number(await allot.run(this.redis, [this.#key], [this.#blockSize, this.#limit, seed]));
    this.#ahead = { next: start, end: start + this.#blockSize };
  }
}

/** The largest divisor of `limit` that is at most `wanted`. */
function largestDivisor(limit: number, wanted: number): number {
  for (let size = Math.min(wanted, limit); size > 1; size--) if (limit % size === 0) return size;
  return 1;
}
