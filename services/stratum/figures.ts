// figures: what one connection has done while this instance served it. Two numbers a share; read by whoever looks (miners.ts).
//
//   judging: accepted(difficulty) | refused(reason) --> Figures --> miners.ts
//
// The hashrate is the accepted work of the past, fading by half every HALF_LIFE_MS: no list of shares is kept. A miner that has
// just come has little past; its work is divided by the time that was there, so its first figures are rough and not too low.

import type { EpochMs, RejectReason } from "../../lib/contracts/index.js";

/** Some 30 shares of vardiff's usual pace weigh in it: an estimate within about a fifth. */
export const HALF_LIFE_MS = 180_000;
/** Before this a rate is luck. */
const SETTLED_MS = 10_000;

const NONE: ReadonlyMap<RejectReason, number> = new Map();
const TAU_MS = HALF_LIFE_MS / Math.LN2;

export class Figures {
  accepted = 0;
  lastShareAt: EpochMs | undefined;
  /** Most connections never need it. */
  #refusals: Map<RejectReason, number> | undefined;
  #work = 0;
  #atMs: number;
  readonly #sinceMs: number;

  /** @param nowMs Monotonic. */
  constructor(
    /** When this instance took the connection over. */
    readonly servedSince: EpochMs,
    nowMs: number,
  ) {
    this.#sinceMs = nowMs;
    this.#atMs = nowMs;
  }

  /** @param difficulty What is credited. */
  accept(difficulty: number, nowMs: number, at: EpochMs): void {
    this.accepted++;
    this.lastShareAt = at;
    this.#work = this.#faded(nowMs) + difficulty;
    this.#atMs = nowMs;
  }

  /** A share that counts and whose work was credited before, at another instance. */
  acceptAgain(at: EpochMs): void {
    this.accepted++;
    this.lastShareAt = at;
  }

  refuse(reason: RejectReason): void {
    this.#refusals ??= new Map();
    this.#refusals.set(reason, (this.#refusals.get(reason) ?? 0) + 1);
  }

  get refusals(): ReadonlyMap<RejectReason, number> {
    return this.#refusals ?? NONE;
  }

  /** Credited difficulty a second. */
  workPerSecond(nowMs: number): number {
    const elapsedMs = Math.max(SETTLED_MS, nowMs - this.#sinceMs);
    const seenMs = TAU_MS * -Math.expm1(-elapsedMs / TAU_MS);
    return (this.#faded(nowMs) / seenMs) * 1_000;
  }

  #faded(nowMs: number): number {
    return this.#work * Math.exp((this.#atMs - nowMs) / TAU_MS);
  }
}
