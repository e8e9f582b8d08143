// Counting once for two readers: statsd, and the `status` method.

import type { Metrics } from "../../lib/wiring/index.js";
import type { MetricName } from "./metrics.js";

export class Tally {
  readonly #counts = new Map<string, number>();

  constructor(private readonly metrics: Metrics) {}

  /** @param tag at most one a metric: its key and value. */
  count(name: MetricName, by = 1, tag?: readonly [key: string, value: string]): void {
    const label = tag ? `${short(name)}.${tag[1]}` : short(name);
    this.#counts.set(label, (this.#counts.get(label) ?? 0) + by);
    this.metrics.count(name, by, tag && { [tag[0]]: tag[1] });
  }

  gauge(name: MetricName, value: number): void {
    this.#counts.set(short(name), value);
    this.metrics.gauge(name, value);
  }

  timing(name: MetricName, ms: number): void {
    this.metrics.timing(name, ms);
  }

  /** `shares.recorded`, `jobs.tip`, `connections` ... since the process began. */
  counters(): Record<string, number> {
    return Object.fromEntries(this.#counts);
  }
}

const short = (name: MetricName): string => name.slice("stratum.".length);
