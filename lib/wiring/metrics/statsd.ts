// Statsd: where measurements leave the process.
//
//   service --count, gauge, timing--> openMetrics --sums--> hot-shots: fills packets --> UDP --> statsd
//                                         \--> Counters (this process' own copy)
//
//   M1. Measuring never throws, never waits, and does not notice whether a statsd listens.
//   M2. With `strict` (tests, development) a name, kind or tag that no table declares throws: a typo is found at once.
//
// Tags travel as DogStatsD writes them (`name:1|c|#tag:value`): Datadog's agent, Telegraf, Vector and statsd_exporter read it.

import { createRequire } from "node:module";
import { isIP } from "node:net";
import type { StatsD } from "hot-shots";
import { lastingLookup } from "./address.js";
import { type CountedMetrics, Counters } from "./counters.js";
import type { MetricSpec, MetricTable, Tags } from "./metrics.js";
import type { Prometheus } from "./prometheus.js";
import { Sums } from "./sums.js";

export interface MetricsOptions {
  /** Absent: nothing is sent, the counters are kept all the same. */
  readonly host?: string;
  /** Default 8125. */
  readonly port?: number;
  /** Before every name, `headframe` makes `headframe.stratum.shares`. */
  readonly prefix?: string;
  /** On every measurement. */
  readonly tags?: Tags;
  readonly tables?: readonly MetricTable[];
  /** M2. Default false. */
  readonly strict?: boolean;
  /** Counts along, for whoever fetches. */
  readonly prometheus?: Prometheus | undefined;
}

const STATSD_PORT = 8_125;
/** Counts and gauges are summed up so long before they are sent; packets are filled so long. */
const FLUSH_MS = 1_000;
/** Sums are handed on so often. */
const SUM_MS = 250;
/** One Ethernet frame, less the headers. */
const PACKET_BYTES = 1_432;

/** Opens the way to statsd; never fails, whatever is at the other end. */
export function openMetrics(options: MetricsOptions): CountedMetrics {
  const { prometheus } = options;
  const counters = new Counters();
  const sender = options.host === undefined ? undefined : new Sender(options.host, options);
  const check = options.strict ? checker(options.tables ?? []) : () => {};
  /** statsd has no word for NaN or Infinity; a line with one may spoil the packet around it. */
  const finite = (name: string, value: number): boolean => {
    if (!Number.isFinite(value) && options.strict) throw new Error(`metric ${name} was given ${value}`);
    return Number.isFinite(value);
  };
  return {
    count(name, by = 1, tags = {}) {
      check(name, "count", tags);
      if (!finite(name, by)) return;
      counters.count(name, by);
      prometheus?.count(name, by, tags);
      sender?.count(name, by, tags);
    },
    gauge(name, value, tags = {}) {
      check(name, "gauge", tags);
      if (!finite(name, value)) return;
      counters.gauge(name, value);
      prometheus?.gauge(name, value, tags);
      sender?.send((statsd) => statsd.gauge(name, value, tags));
    },
    timing(name, ms, tags = {}) {
      check(name, "timing", tags);
      if (!finite(name, ms)) return;
      prometheus?.timing(name, ms, tags);
      sender?.send((statsd) => statsd.timing(name, ms, tags));
    },
    counters: () => counters.counters(),
    close: async () => sender?.close(),
  };
}

/** Only where statsd is wanted: a process that starts anew has clients waiting, and every package takes its time. */
const load = (): typeof StatsD => (createRequire(import.meta.url)("hot-shots") as typeof import("hot-shots")).StatsD;

class Sender {
  #statsd: StatsD | undefined;
  readonly #sums = new Sums();
  readonly #timer = setInterval(() => this.#handOn(), SUM_MS).unref();

  constructor(host: string, { port, prefix, tags }: MetricsOptions) {
    this.#statsd = new (load())({
      host,
      port: port ?? STATSD_PORT,
      ...(prefix ? { prefix: `${prefix}.` } : {}),
      globalTags: { ...tags },
      aggregation: { flushInterval: FLUSH_MS },
      bufferFlushInterval: FLUSH_MS,
      maxBufferSize: PACKET_BYTES,
      udpSocketOptions: { type: isIP(host) === 6 ? "udp6" : "udp4", lookup: lastingLookup() }, // Its own cache forgets the last address.
      errorHandler: () => {}, // M1: nobody listening is no error of ours.
    });
  }

  count(name: string, by: number, tags: Tags): void {
    if (this.#statsd && !this.#sums.add(name, by, tags)) this.send((statsd) => statsd.increment(name, by, tags));
  }

  send(how: (statsd: StatsD) => void): void {
    if (!this.#statsd) return; // After close().
    try {
      how(this.#statsd);
    } catch {
      // M1
    }
  }

  /** Sends what is still held; safe twice. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.#handOn();
    const statsd = this.#statsd;
    this.#statsd = undefined;
    if (statsd) await new Promise<void>((resolve) => statsd.close(() => resolve()));
  }

  #handOn(): void {
    this.#sums.take((name, by, tags) => this.send((statsd) => statsd.increment(name, by, tags)));
  }
}

type Check = (name: string, kind: MetricSpec["kind"], tags: Tags) => void;

function checker(tables: readonly MetricTable[]): Check {
  const known: MetricTable = Object.assign({}, ...tables);
  return (name, kind, tags) => {
    const spec = Object.hasOwn(known, name) ? known[name] : undefined;
    if (!spec) throw new Error(`metric ${name} stands in no table`);
    if (spec.kind !== kind) throw new Error(`metric ${name} is a ${spec.kind} and was used as a ${kind}`);
    const unknown = Object.keys(tags).filter((tag) => !spec.tags.includes(tag));
    if (unknown.length > 0) throw new Error(`metric ${name} has no tag ${unknown.join(", ")}`);
  };
}
