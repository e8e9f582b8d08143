// What the dashboard measures.

import type { MetricTable } from "../../lib/wiring/index.js";

export const metricTable = {
  "pool.hashrate": { kind: "gauge", unit: "H/s", tags: [], meaning: "Hashrate of all workers over the last minute." },
  "pool.connections": { kind: "gauge", unit: "connections", tags: [], meaning: "Clients connected to all edges." },
  "pool.workers": { kind: "gauge", unit: "workers", tags: [], meaning: "Workers with a share within the last hour." },
  "pool.accepted": { kind: "gauge", unit: "shares", tags: [], meaning: "Accepted shares since the beginning." },
  "pool.rejected": {
    kind: "gauge",
    unit: "shares",
    tags: ["reason"],
    meaning: "Rejected shares since the beginning, by reason.",
  },
  "pool.blocks": { kind: "gauge", unit: "blocks", tags: [], meaning: "Blocks found since the beginning." },
  "pool.parts": {
    kind: "gauge",
    unit: "parts",
    tags: ["kind", "health"],
    meaning:
      "Components (haproxy, keeper, edge, stratum, jobmanager, reporter, daemon, redis) by health: good, warn, bad.",
  },
  "dashboard.requests": {
    kind: "count",
    unit: "requests",
    tags: ["status"],
    meaning: "HTTP requests answered, by the class of the status: 2xx, 3xx, 4xx, 5xx.",
  },
  "dashboard.refused": {
    kind: "count",
    unit: "requests",
    tags: ["why"],
    meaning: "Requests rejected for: host, origin, token, attempts (too many wrong tokens).",
  },
  "dashboard.viewers": { kind: "gauge", unit: "browsers", tags: [], meaning: "Browsers with an open live stream." },
  "dashboard.slow_viewers": {
    kind: "count",
    unit: "browsers",
    tags: [],
    meaning: "Live streams closed because the browser did not read them; it reconnects by itself.",
  },
  "dashboard.look": {
    kind: "timing",
    unit: "ms",
    tags: [],
    meaning: "Duration of collecting the state of the whole installation.",
  },
  "dashboard.actions": {
    kind: "count",
    unit: "actions",
    tags: ["what", "outcome"],
    meaning: "Swaps and drains started through the page or the API: done, failed.",
  },
  "dashboard.samples": {
    kind: "count",
    unit: "samples",
    tags: ["outcome"],
    meaning: "Samples for the charts: ok, or failed (Redis or the reporter was down).",
  },
} as const satisfies MetricTable;
