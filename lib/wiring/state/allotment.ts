// Allotment: small numbers that no two processes hand out, without asking Redis for each.
//
//   Redis counter --one block a time, the next one fetched early--> Allotment --next()--> a number
//                <--every BEAT_MS: the greatest counter that this process has seen--
//
//   A1. A number is handed out again only after `limit` others have been (less what crashed processes lost of their blocks).
//       With 2^32 that is four billion session starts: at a thousand a second, fifty days. Whoever hands a number to something
//       that may live longer must make sure itself (a session of fifty days at that rate is not impossible, only unlikely).
//   A2. next() waits for Redis only when the block in hand and the one fetched ahead are both used up.
//   A3. With Redis away, numbers are handed out while they last: between half a block and one and a half.
//   A4. Two live processes hold no number both, whatever Redis lost. A counter that may have gone back skips more than can have been lost
//       (scripts/allot.ts). Every process tells Redis again and again how far the counter had come, so that one which went back, or is
//       gone, is lifted; and who meets a Redis without a counter and knows none itself first waits for the others to do so.
//   A5. Where nobody knows a counter it starts at a random place, not at 0, where the oldest live sessions are.

import { setTimeout as sleep } from "node:timers/promises";
import type { Redis } from "ioredis";
import { z } from "zod";
import { key } from "./keys.js";
import { allot } from "./scripts/allot.js";

export interface AllotmentOptions {
  /** Numbers fetched at once. Default 1_024: a storm of reconnecting clients needs Redis seldom. */
  readonly blockSize?: number;
  /** Numbers are 0 .. limit - 1. Default 2^32. */
  readonly limit?: number;
  /** A4. How long a process that finds no counter waits for others to bring theirs, milliseconds. Default 750. */
  readonly settleMs?: number;
}

interface Block {
  next: number;
  readonly end: number;
}

/** Numbers given back that are kept for handing out again. */
const RETURNED_MAX = 10_000;
/** A4. How old the knowledge of a process about the counter may be. */
const BEAT_MS = 500;
/** Longer than a beat. Once in the life of an installation, unless its Redis loses everything. */
const SETTLE_MS = 750;
/** A4. Sixteen million session starts between what a Redis has and what it lost; 256 fail-overs until the range is used up. */
const JUMP = 2 ** 24;
/** A smaller range cannot spare as much. */
const JUMP_PART = 4;

const answer = z.tuple([z.string(), z.string()]);

export class Allotment {
  readonly #key: string;
  readonly #blockSize: number;
  readonly #limit: number;
  #block: Block = { next: 0, end: 0 };
  #ahead: Block | undefined;
  #fetching: Promise<void> | undefined;
  readonly #returned: number[] = [];
  readonly #settleMs: number;
  readonly #jump: number;
  /** The greatest counter seen; -1: none yet. */
  #known = -1;
  #beat: NodeJS.Timeout | undefined;

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
    this.#settleMs = options.settleMs ?? SETTLE_MS;
    this.#jump = Math.min(JUMP, Math.floor(this.#limit / JUMP_PART));
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
    // A beat that fails is followed by another; a Redis that stays away is said by whoever needs numbers.
    allotment.#beat = setInterval(() => allotment.#run(0, -1).catch(() => {}), BEAT_MS).unref();
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

  /** Nothing more is told to Redis. Safe twice. */
  close(): void {
    clearInterval(this.#beat);
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
    const counter = (await this.#run(this.#blockSize, -1)) ?? (await this.#begin());
    const next = counter % this.#limit;
    this.#ahead = { next, end: next + this.#blockSize };
  }

  /** A4, A5 */
  async #begin(): Promise<number> {
    await sleep(this.#settleMs);
    const blocks = this.#limit / this.#blockSize;
    const seed = Math.floor(Math.random() * blocks) * this.#blockSize;
    const counter = await this.#run(this.#blockSize, seed);
    if (counter === undefined) throw new Error(`${this.#key}: Redis gave no numbers though it was told where to begin`);
    return counter;
  }

  /** @returns the counter before; undefined: nobody knows one, and without a seed none is begun. */
  async #run(size: number, seed: number): Promise<number | undefined> {
    const args = [size, this.#limit, this.#known, this.#jump, seed];
    const [before, after] = answer.parse(await allot.run(this.redis, [this.#key], args));
    if (before === "") return undefined;
    this.#known = Math.max(this.#known, Number(after));
    return Number(before);
  }
}

/** The largest divisor of `limit` that is at most `wanted`. */
function largestDivisor(limit: number, wanted: number): number {
  for (let size = Math.min(wanted, limit); size > 1; size--) if (limit % size === 0) return size;
  return 1;
}
