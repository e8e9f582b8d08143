// metrics of the edge: the table that the documentation shows, and the counters behind `status`.

import type { Metrics, MetricTable } from "../../lib/wiring/index.js";

export const metricTable = {
  "edge.connections": {
    kind: "gauge",
    unit: "connections",
    tags: [],
    meaning: "Clients connected to this edge process.",
  },
  "edge.unacknowledgedLines": {
    kind: "gauge",
    unit: "lines",
    tags: [],
    meaning: "Lines that no backend has acknowledged yet.",
  },
  "edge.opened": {
    kind: "count",
    unit: "connections",
    tags: [],
    meaning: "New clients; health checks of a proxy do not count.",
  },
  "edge.adopted": {
    kind: "count",
    unit: "connections",
    tags: [],
    meaning: "Clients taken over from a previous edge process.",
  },
  "edge.handedOver": {
    kind: "count",
    unit: "connections",
    tags: [],
    meaning: "Clients handed over to a later edge process.",
  },
  "edge.closed": {
    kind: "count",
    unit: "connections",
    tags: [],
    meaning: "Clients that closed their connection, or whose connection broke.",
  },
  "edge.closedAsked": {
    kind: "count",
    unit: "connections",
    tags: [],
    meaning: "Clients closed at the request of the backend.",
  },
  "edge.closedTooLong": {
    kind: "count",
    unit: "connections",
    tags: [],
    meaning: "Clients closed for a line that was too long.",
  },
  "edge.closedTooSlow": {
    kind: "count",
    unit: "connections",
    tags: [],
    meaning: "Clients closed because they did not read their output.",
  },
  "edge.unsentFull": {
    kind: "count",
    unit: "times",
    tags: [],
    meaning:
      "Number of times the unsent bytes of all clients exceeded unsentTotalBytesMax; the clients with the most were closed (closedTooSlow).",
  },
  "edge.closedProxy": {
    kind: "count",
    unit: "connections",
    tags: [],
    meaning: "Connections closed for an invalid, late or missing PROXY header.",
  },
  "edge.closedPoison": {
    kind: "count",
    unit: "connections",
    tags: [],
    meaning: "Clients closed because every backend that got their line died, or threw an exception.",
  },
  "edge.refused": {
    kind: "count",
    unit: "connections",
    tags: [],
    meaning: "Connections closed because connectionsMax was reached.",
  },
  "edge.lines": { kind: "count", unit: "lines", tags: [], meaning: "Lines read from clients." },
  "edge.paused": {
    kind: "count",
    unit: "times",
    tags: [],
    meaning: "Number of times the edge stopped reading from a client because of unacknowledged lines.",
  },
  "edge.moves": { kind: "count", unit: "connections", tags: [], meaning: "Clients moved from one backend to another." },
  "edge.gaps": {
    kind: "count",
    unit: "gaps",
    tags: [],
    meaning: "Gaps detected in a backend's stream; its clients were opened again.",
  },
  "edge.backendFailures": {
    kind: "count",
    unit: "calls",
    tags: [],
    meaning: "Batches of lines with unknown outcome; they were sent again.",
  },
  "edge.backendExceptions": {
    kind: "count",
    unit: "calls",
    tags: [],
    meaning:
      "Batches on which a backend's handler threw or hung; the lines of their clients were sent again separately.",
  },
  "edge.backendSilences": {
    kind: "count",
    unit: "times",
    tags: [],
    meaning: "Number of times a connected backend answered nothing and its clients were moved.",
  },
  "edge.overloaded": {
    kind: "count",
    unit: "calls",
    tags: [],
    meaning: "Batches that a backend refused as OVERLOADED; they were sent again.",
  },
  "edge.lateWrites": {
    kind: "count",
    unit: "writes",
    tags: [],
    meaning: "Writes of a backend that no longer serves the client; dropped.",
  },
  "edge.groupsRefused": {
    kind: "count",
    unit: "times",
    tags: [],
    meaning: "Number of times a backend put one client into too many groups.",
  },
} as const satisfies MetricTable;

export type MetricName = keyof typeof metricTable;

/** Counts for statsd and for `status` alike. */
export class Counters {
  readonly #totals: Record<string, number> = {};

  constructor(readonly metrics: Metrics) {}

  readonly count = (name: MetricName, by = 1): void => {
    if (by === 0) return;
    this.#totals[name] = (this.#totals[name] ?? 0) + by;
    this.metrics.count(name, by);
  };

  /** Since the process started. */
  get totals(): Record<string, number> {
    return { ...this.#totals };
  }
}
