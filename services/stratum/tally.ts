// Counting once for two readers: statsd, and the `status` method.

import type { Metrics } from "../../lib/wiring/index.js";
import type { MetricName } from "./metrics.js";

export class Tally {
  readonly #counts = new Map<string, number>();
  /** By name and the tag's value. */
  readonly #labels = new Map<MetricName, Map<string, string>>();

  constructor(private readonly metrics: Metrics) {}

  /** @param tag at most one a metric: its key and value. */
  count(name: MetricName, by = 1, tag?: readonly [key: string, value: string]): void {
    const label = this.#label(name, tag?.[1] ?? "");
    this.#counts.set(label, (this.#counts.get(label) ?? 0) + by);
    this.metrics.count(name, by, tag && { [tag[0]]: tag[1] });
  }

  /** Put together once: a busy instance counts several things a line. */
  #label(name: MetricName, value: string): string {
    let labels = this.#labels.get(name);
    if (!labels) {
      labels = new Map();
      this.#labels.set(name, labels);
    }
    let label = labels.get(value);
    if (label === undefined) {
      label = value === "" ? short(name) : `${short(name)}.${value}`;
      labels.set(value, label);
    }
    return label;
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
