// Retirement: a process that has reached its age is to be replaced (options max_age, max_age_variance).

import { DURATION_MAX_SECONDS } from "../lib/duration.js";

export interface AgeOptions {
  /** Seconds; 0: none is too old. */
  readonly max_age: number;
  /** Seconds; a random part of it is added, so that processes started together do not go together. */
  readonly max_age_variance: number;
}

export class Retirement {
  readonly #timers = new Map<number, NodeJS.Timeout>();

  /** @param random From 0 to 1, exclusive. */
  plan(pid: number, { max_age, max_age_variance }: AgeOptions, random: number, retire: () => void): void {
    if (max_age <= 0) return;
    const age = Math.min(max_age + random * max_age_variance, DURATION_MAX_SECONDS);
    this.#timers.set(pid, setTimeout(retire, age * 1_000));
  }

  /** The process has ended. */
  forget(pid: number): void {
    clearTimeout(this.#timers.get(pid));
    this.#timers.delete(pid);
  }
}
