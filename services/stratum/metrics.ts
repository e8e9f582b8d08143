// Every metric that the stratum service emits.

import type { MetricTable } from "../../lib/wiring/index.js";

export const metricTable = {
  "stratum.connections": {
    kind: "gauge",
    unit: "connections",
    tags: [],
    meaning: "Client connections of this instance.",
  },
  "stratum.mining": {
    kind: "gauge",
    unit: "connections",
    tags: [],
    meaning: "Subscribed connections of this instance.",
  },
  "stratum.queue_bytes": {
    kind: "gauge",
    unit: "bytes",
    tags: [],
    meaning: "Bytes of lines received and not yet acknowledged.",
  },
  "stratum.shares_waiting": { kind: "gauge", unit: "shares", tags: [], meaning: "Valid shares not yet recorded." },
  "stratum.lines": { kind: "count", unit: "lines", tags: [], meaning: "Client lines received." },
  "stratum.garbled": { kind: "count", unit: "lines", tags: [], meaning: "Malformed lines: not a JSON request." },
  "stratum.shares": {
    kind: "count",
    unit: "shares",
    tags: ["outcome"],
    meaning: "Shares answered, by outcome: recorded, redelivered, or the reason of the rejection.",
  },
  "stratum.share_ms": { kind: "timing", unit: "ms", tags: [], meaning: "From receiving a valid share to its answer." },
  "stratum.opened": {
    kind: "count",
    unit: "connections",
    tags: ["how"],
    meaning: "Connections received: fresh, carried (with state), adopted (without state, which is loaded from Redis).",
  },
  "stratum.closed": { kind: "count", unit: "connections", tags: ["why"], meaning: "Connections closed, by reason." },
  "stratum.enlisted": {
    kind: "count",
    unit: "sessions",
    tags: ["how"],
    meaning: "Subscriptions: new, resumed, or held (the session was in use, so a new one began).",
  },
  "stratum.jobs": {
    kind: "count",
    unit: "jobs",
    tags: ["as"],
    meaning: "Jobs received: tip, refresh, dropped or refused; renewed: sent again as a keepalive.",
  },
  "stratum.broadcast_ms": {
    kind: "timing",
    unit: "ms",
    tags: [],
    meaning: "From a job's arrival to its last edge's queue.",
  },
  "stratum.lookups": { kind: "count", unit: "jobs", tags: ["found"], meaning: "Unknown jobs looked up in Redis." },
  "stratum.blocks": {
    kind: "count",
    unit: "blocks",
    tags: ["status"],
    meaning:
      "Block candidates submitted: accepted, rejected, pending (no daemon has accepted it yet; kept), lost, dropped.",
  },
  "stratum.overloaded": { kind: "count", unit: "calls", tags: [], meaning: "Batches of events refused as OVERLOADED." },
  "stratum.out_retries": {
    kind: "count",
    unit: "pushes",
    tags: [],
    meaning: "Pushes that an edge did not accept at once.",
  },
  "stratum.edges_lost": {
    kind: "count",
    unit: "edges",
    tags: [],
    meaning: "Edges dropped because they accepted no pushes.",
  },
  "stratum.report_retries": { kind: "count", unit: "calls", tags: [], meaning: "Batches of shares sent again." },
  "stratum.exceptions": {
    kind: "count",
    unit: "exceptions",
    tags: ["at"],
    meaning: "Exceptions while one connection was served, by the step that threw; the connection is closed.",
  },
  "stratum.state_errors": { kind: "count", unit: "calls", tags: [], meaning: "Failed calls to shared state in Redis." },
  "stratum.offences": {
    kind: "count",
    unit: "offences",
    tags: ["reason"],
    meaning: "Addresses reported for malformed lines or invalid shares.",
  },
  "stratum.hostile": {
    kind: "count",
    unit: "connections",
    tags: [],
    meaning: "Connections closed because nearly all of their shares were invalid.",
  },
  "stratum.banned": {
    kind: "count",
    unit: "connections",
    tags: [],
    meaning: "Connections closed because their address was banned.",
  },
  "stratum.let_go": {
    kind: "count",
    unit: "connections",
    tags: [],
    meaning: "Connections closed because there was no work.",
  },
} as const satisfies MetricTable;

export type MetricName = keyof typeof metricTable;
