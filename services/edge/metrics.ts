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
    meaning: "Clients that came; a proxy's health checks are none.",
  },
  "edge.adopted": {
    kind: "count",
    unit: "connections",
    tags: [],
    meaning: "Clients taken over from an earlier edge process.",
  },
  "edge.handedOver": {
    kind: "count",
    unit: "connections",
    tags: [],
    meaning: "Clients given to a later edge process.",
  },
  "edge.closed": {
    kind: "count",
    unit: "connections",
    tags: [],
    meaning: "Clients that closed, or whose connection broke.",
  },
  "edge.closedAsked": {
    kind: "count",
    unit: "connections",
    tags: [],
    meaning: "Clients closed because the backend asked.",
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
    meaning: "Clients closed for not reading what they were sent.",
  },
  "edge.unsentFull": {
    kind: "count",
    unit: "times",
    tags: [],
    meaning:
      "All clients together owed more than unsentTotalBytesMax; those that owed most were closed (closedTooSlow).",
  },
  "edge.closedProxy": {
    kind: "count",
    unit: "connections",
    tags: [],
    meaning: "Connections closed for a wrong, late or missing PROXY header.",
  },
  "edge.closedPoison": {
    kind: "count",
    unit: "connections",
    tags: [],
    meaning: "Clients closed because every backend died of their line, or threw on it.",
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
    meaning: "A client was not read from for its unacknowledged lines.",
  },
  "edge.moves": { kind: "count", unit: "connections", tags: [], meaning: "Clients moved from one backend to another." },
  "edge.gaps": {
    kind: "count",
    unit: "gaps",
    tags: [],
    meaning: "Holes seen in a backend's stream; its clients were opened anew.",
  },
  "edge.backendFailures": {
    kind: "count",
    unit: "calls",
    tags: [],
    meaning: "Batches of lines whose fate is unknown; they were sent again.",
  },
  "edge.backendExceptions": {
    kind: "count",
    unit: "calls",
    tags: [],
    meaning:
      "Batches on which a backend's handler threw, or hung; their clients' lines were sent again, apart from all others.",
  },
  "edge.backendSilences": {
    kind: "count",
    unit: "times",
    tags: [],
    meaning: "A backend that was connected and answered nothing lost its clients to another one.",
  },
  "edge.overloaded": { kind: "count", unit: "calls", tags: [], meaning: "Batches that a backend refused for now." },
  "edge.lateWrites": {
    kind: "count",
    unit: "writes",
    tags: [],
    meaning: "Answers from a backend that no longer serves the client; dropped.",
  },
  "edge.groupsRefused": {
    kind: "count",
    unit: "times",
    tags: [],
    meaning: "A backend put one client into too many groups.",
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
