// Prometheus: the same measurements in the form that Prometheus fetches.
//
//   service --count, gauge, timing--> openMetrics --> Prometheus (prom-client) --GET /metrics--> Prometheus
//
//   names    stratum.share_ms -> headframe_stratum_share_ms; a count ends in _total; a timing is a histogram, in seconds
//   labels   the tags of the call, beside those of the process (cluster, statsd.tags)
//
//   H1. Measuring never throws. A measurement that does not fit its table's tags loses the tag, never the process.
//   H2. Series are bounded: names come from tables, tag values from closed lists; SERIES_MAX holds against a bug.
//
// What Node tells of the process itself (memory, processor, event loop, garbage collection) comes with it.

import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import type { MetricSpec, MetricTable, Tags } from "./metrics.js";
import { prometheusName } from "./prometheus-name.js";

type Any = Counter<string> | Gauge<string> | Histogram<string>;

const NAMES_MAX = 1_000;
const SERIES_MAX = 10_000;
/** From a tenth of a millisecond to a minute: answers in one process, and blocks that daemons think about. In seconds. */
const BUCKETS = [0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60];
const PREFIX = "headframe_";
/** Gauges of prom-client's whose names end in _total, which promises a counter; the same figures come by type as well. */
const MISNAMED = ["nodejs_active_resources_total", "nodejs_active_handles_total", "nodejs_active_requests_total"];

export class Prometheus {
  readonly #registry = new Registry();
  readonly #metrics = new Map<string, { readonly metric: Any; readonly labels: readonly string[] }>();
  readonly #series = new Set<string>();
  readonly #known: MetricTable;
  readonly #ownLabels: ReadonlySet<string>;

  constructor(options: { readonly tables: readonly MetricTable[]; readonly tags: Tags }) {
    this.#known = Object.assign({}, ...options.tables);
    const own = Object.entries(options.tags).map(([name, value]) => [labelName(name), value] as const);
    this.#ownLabels = new Set(own.map(([name]) => name));
    this.#registry.setDefaultLabels(Object.fromEntries(own));
    collectDefaultMetrics({ register: this.#registry, prefix: PREFIX });
    for (const name of MISNAMED) this.#registry.removeSingleMetric(`${PREFIX}${name}`);
  }

  count(name: string, by: number, tags: Tags): void {
    this.#measure(name, "count", tags, (metric, labels) => metric instanceof Counter && metric.inc(labels, by));
  }

  gauge(name: string, value: number, tags: Tags): void {
    this.#measure(name, "gauge", tags, (metric, labels) => metric instanceof Gauge && metric.set(labels, value));
  }

  timing(name: string, ms: number, tags: Tags): void {
    this.#measure(name, "timing", tags, (metric, labels) => {
      if (metric instanceof Histogram) metric.observe(labels, ms / 1_000);
    });
  }

  /** In the text format that `contentType` names. */
  text(): Promise<string> {
    return this.#registry.metrics();
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  #measure(
    name: string,
    kind: MetricSpec["kind"],
    tags: Tags,
    act: (metric: Any, labels: Record<string, string>) => unknown,
  ): void {
    try {
      const found = this.#metrics.get(name) ?? this.#declare(name, kind, tags);
      if (!found) return;
      const labels: Record<string, string> = {};
      for (const key of found.labels) labels[key] = tags[key] ?? "";
      if (this.#isRoomFor(name, labels)) act(found.metric, labels);
    } catch {
      // H1: such as a gauge that is no number.
    }
  }

  #isRoomFor(name: string, labels: Record<string, string>): boolean {
    const key = `${name} ${Object.values(labels).join(" ")}`;
    if (this.#series.has(key)) return true;
    if (this.#series.size >= SERIES_MAX) return false; // H2
    this.#series.add(key);
    return true;
  }

  /** Without a table the first call says which tags there are. */
  #declare(name: string, kind: MetricSpec["kind"], tags: Tags) {
    if (this.#metrics.size >= NAMES_MAX) return undefined;
    const spec = Object.hasOwn(this.#known, name) ? this.#known[name] : undefined;
    const labels = (spec?.tags ?? Object.keys(tags)).filter((label) => !this.#ownLabels.has(labelName(label)));
    const options = {
      name: prometheusName(name, kind),
      help: spec ? `${spec.meaning} (${kind === "timing" ? "seconds" : spec.unit})` : name,
      labelNames: labels,
      registers: [this.#registry],
    };
    const metric =
      kind === "count"
        ? new Counter(options)
        : kind === "gauge"
          ? new Gauge(options)
          : new Histogram({ ...options, buckets: BUCKETS });
    const made = { metric, labels };
    this.#metrics.set(name, made);
    return made;
  }
}

const labelName = (name: string): string => name.replaceAll(/[^a-zA-Z0-9_]/g, "_");
