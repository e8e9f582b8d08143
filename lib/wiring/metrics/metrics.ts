// Metrics: counts, gauges and timings to statsd, named in one table a service, documented in docs/metrics.md.

/** One line of a service's table. `tags` lists the tag keys that a call may carry. */
export interface MetricSpec {
  readonly kind: "count" | "gauge" | "timing";
  readonly unit: string;
  readonly tags: readonly string[];
  readonly meaning: string;
}

export type MetricTable = Readonly<Record<string, MetricSpec>>;

export type Tags = Readonly<Record<string, string>>;

/** Where measurements go. Never throws, never blocks, costs nothing that a caller must wait for. */
export interface Metrics {
  count(name: string, by?: number, tags?: Tags): void;
  gauge(name: string, value: number, tags?: Tags): void;
  /** Milliseconds. */
  timing(name: string, ms: number, tags?: Tags): void;
  close(): Promise<void>;
}
