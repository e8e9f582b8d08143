// Counters: the measurements of this process, kept in it, for the live screen and for tests.

import type { Metrics } from "./metrics.js";

/** Names come from tables, a hundred or so; a bug that makes names up must not grow memory. */
const NAMES_MAX = 10_000;

/** Metrics that also remember. */
export interface CountedMetrics extends Metrics {
  /** By name, tags summed up: the sum of a count, the last value of a gauge. Timings are not kept. A copy. */
  counters(): Record<string, number>;
}

/** Only remembers; sends nothing anywhere. */
export class Counters implements CountedMetrics {
  readonly #values = new Map<string, number>();

  count(name: string, by = 1): void {
    this.#set(name, (this.#values.get(name) ?? 0) + by);
  }

  gauge(name: string, value: number): void {
    this.#set(name, value);
  }

  timing(): void {}

  counters(): Record<string, number> {
    return Object.fromEntries(this.#values);
  }

  async close(): Promise<void> {}

  #set(name: string, value: number): void {
    if (this.#values.size < NAMES_MAX || this.#values.has(name)) this.#values.set(name, value);
  }
}
