// Tally: counts what the wiring does and hands the sums to the metrics once a second. A metric per call would cost more
// than the call.

import type { Clock } from "../clock.js";
import type { WiringError } from "../errors.js";
import type { Metrics, MetricTable } from "../metrics/metrics.js";
import type { Call } from "./call.js";

const FLUSH_MS = 1_000;

/** Everything the wiring measures. */
export const wiringMetricTable = {
  "wiring.calls": {
    kind: "count",
    unit: "calls",
    tags: ["service", "outcome"],
    meaning: "Calls that ended: ok, or failed for good.",
  },
  "wiring.retries": {
    kind: "count",
    unit: "attempts",
    tags: ["service", "code"],
    meaning: "Attempts repeated, by the failure that caused it.",
  },
  "wiring.served": {
    kind: "count",
    unit: "requests",
    tags: ["service", "outcome"],
    meaning: "Requests from other processes: ok, failed, or refused.",
  },
  "wiring.pushed": {
    kind: "count",
    unit: "messages",
    tags: ["service"],
    meaning: "Push messages put into subscribers' queues.",
  },
  "wiring.pushes_lost": {
    kind: "count",
    unit: "messages",
    tags: ["service"],
    meaning: "Push messages dropped because a subscriber's queue was full.",
  },
  "wiring.gaps": {
    kind: "count",
    unit: "holes",
    tags: ["service"],
    meaning: "Gaps detected in push streams, each repaired by a snapshot.",
  },
  "wiring.links_lost": {
    kind: "count",
    unit: "links",
    tags: ["reason"],
    meaning: "Connections to other processes that ended: gone or goodbye.",
  },
  "wiring.malformed": {
    kind: "count",
    unit: "frames",
    tags: ["where"],
    meaning: "Frames or messages rejected because they were malformed or too large.",
  },
  "wiring.keys_refused": {
    kind: "count",
    unit: "handshakes",
    tags: ["side"],
    meaning:
      "Peers rejected because their key is not allowed: callers (caller), or instances that this process would have called (instance).",
  },
  "wiring.peers_refused": {
    kind: "count",
    unit: "handshakes",
    tags: ["side", "reason"],
    meaning:
      "Peers rejected before authentication: callers (caller), or instances that this process would have called (instance). Reasons: they do not know the installation's secret (secret), use another protocol number (protocol), have a key that is not allowed (key), are too many (crowd), or sent no hello (hello).",
  },
  "wiring.peers": { kind: "gauge", unit: "processes", tags: [], meaning: "Processes connected to this one." },
} as const satisfies MetricTable;

type Name = keyof typeof wiringMetricTable;
type Tags = Readonly<Record<string, string>>;

interface Sum {
  readonly name: Name;
  readonly tags: Tags;
  by: number;
}

export class Tally {
  readonly #sums = new Map<string, Sum>();
  readonly #metrics: Metrics;
  readonly #clock: Clock;
  #stop: (() => void) | undefined;
  #closed = false;

  constructor(metrics: Metrics, clock: Clock) {
    this.#metrics = metrics;
    this.#clock = clock;
  }

  /** A counter to keep and add to: the hot path's way, free of look-ups. */
  counter(name: Name, tags: Tags): (by: number) => void {
    const sum = this.#sum(name, tags);
    return (by) => {
      sum.by += by;
      if (!this.#closed) this.#stop ??= this.#clock.after(FLUSH_MS, () => this.#flush());
    };
  }

  count(name: Name, tags: Tags, by = 1): void {
    this.counter(name, tags)(by);
  }

  gauge(name: Name, value: number): void {
    this.#metrics.gauge(name, value);
  }

  retried(call: Call, failure: WiringError): void {
    this.count("wiring.retries", { service: call.service, code: failure.code });
  }

  close(): void {
    this.#closed = true;
    this.#stop?.();
    this.#flush();
  }

  #sum(name: Name, tags: Tags): Sum {
    const key = [name, ...Object.values(tags)].join("\n");
    let sum = this.#sums.get(key);
    if (!sum) {
      sum = { name, tags, by: 0 };
      this.#sums.set(key, sum);
    }
    return sum;
  }

  #flush(): void {
    this.#stop = undefined;
    for (const sum of this.#sums.values()) {
      if (sum.by > 0) this.#metrics.count(sum.name, sum.by, sum.tags);
      sum.by = 0;
    }
  }
}
