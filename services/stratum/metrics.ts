// Every metric that the stratum service emits.

import type { MetricTable } from "../../lib/wiring/index.js";

export const metricTable = {
  "stratum.connections": { kind: "gauge", unit: "connections", tags: [], meaning: "Client connections held here." },
  "stratum.mining": { kind: "gauge", unit: "connections", tags: [], meaning: "Of them, those that are subscribed." },
  "stratum.queue_bytes": { kind: "gauge", unit: "bytes", tags: [], meaning: "Lines taken and not yet acknowledged." },
  "stratum.shares_waiting": { kind: "gauge", unit: "shares", tags: [], meaning: "Good shares not yet recorded." },
  "stratum.lines": { kind: "count", unit: "lines", tags: [], meaning: "Client lines taken." },
  "stratum.garbled": { kind: "count", unit: "lines", tags: [], meaning: "Lines that were no requests at all." },
  "stratum.shares": {
    kind: "count",
    unit: "shares",
    tags: ["outcome"],
    meaning: "Shares answered, by outcome: recorded, redelivered, or the reason of their refusal.",
  },
  "stratum.share_ms": { kind: "timing", unit: "ms", tags: [], meaning: "From taking a good share to its answer." },
  "stratum.opened": {
    kind: "count",
    unit: "connections",
    tags: ["how"],
    meaning: "Connections taken: fresh, carried (with state), adopted (without state: looked up in Redis).",
  },
  "stratum.closed": { kind: "count", unit: "connections", tags: ["why"], meaning: "Connections gone, by reason." },
  "stratum.enlisted": {
    kind: "count",
    unit: "sessions",
    tags: ["how"],
    meaning: "Subscriptions: new, resumed, held (the session was in use).",
  },
  "stratum.jobs": {
    kind: "count",
    unit: "jobs",
    tags: ["as"],
    meaning: "Jobs received: tip, refresh, dropped, refused; and renewed: told again to keep miners awake.",
  },
  "stratum.broadcast_ms": {
    kind: "timing",
    unit: "ms",
    tags: [],
    meaning: "From a job's arrival to its last edge's queue.",
  },
  "stratum.lookups": { kind: "count", unit: "jobs", tags: ["found"], meaning: "Unknown jobs asked of shared state." },
  "stratum.blocks": {
    kind: "count",
    unit: "blocks",
    tags: ["status"],
    meaning: "Candidates submitted: accepted, rejected, pending (no daemon could take it yet; kept), lost, dropped.",
  },
  "stratum.overloaded": { kind: "count", unit: "calls", tags: [], meaning: "Batches of events refused as OVERLOADED." },
  "stratum.out_retries": {
    kind: "count",
    unit: "pushes",
    tags: [],
    meaning: "Pushes that an edge did not take at once.",
  },
  "stratum.edges_lost": {
    kind: "count",
    unit: "edges",
    tags: [],
    meaning: "Edges given up because they took no pushes.",
  },
  "stratum.report_retries": { kind: "count", unit: "calls", tags: [], meaning: "Batches of shares sent again." },
  "stratum.state_errors": { kind: "count", unit: "calls", tags: [], meaning: "Calls to shared state that failed." },
  "stratum.offences": {
    kind: "count",
    unit: "offences",
    tags: ["reason"],
    meaning: "Addresses reported for garbage or for invalid shares.",
  },
  "stratum.hostile": {
    kind: "count",
    unit: "connections",
    tags: [],
    meaning: "Closed because nearly all of their shares were invalid.",
  },
  "stratum.banned": {
    kind: "count",
    unit: "connections",
    tags: [],
    meaning: "Closed because their address was banned.",
  },
  "stratum.let_go": { kind: "count", unit: "connections", tags: [], meaning: "Closed because there was no work." },
} as const satisfies MetricTable;

export type MetricName = keyof typeof metricTable;
