// What the dashboard measures.

import type { MetricTable } from "../../lib/wiring/index.js";

export const metricTable = {
  "pool.hashrate": { kind: "gauge", unit: "H/s", tags: [], meaning: "Of all workers together, over the last minute." },
  "pool.connections": { kind: "gauge", unit: "connections", tags: [], meaning: "Clients that edges hold." },
  "pool.workers": { kind: "gauge", unit: "workers", tags: [], meaning: "Workers with a share within the last hour." },
  "pool.accepted": { kind: "gauge", unit: "shares", tags: [], meaning: "Shares accepted, all time." },
  "pool.rejected": { kind: "gauge", unit: "shares", tags: ["reason"], meaning: "Shares refused, all time, by reason." },
  "pool.blocks": { kind: "gauge", unit: "blocks", tags: [], meaning: "Blocks found, all time." },
  "pool.parts": {
    kind: "gauge",
    unit: "parts",
    tags: ["kind", "health"],
    meaning:
      "Parts of the house (haproxy, keeper, edge, stratum, jobmanager, reporter, daemon, redis) by health: good, warn, bad.",
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
    meaning: "Requests refused by the guard: host, origin, token, attempts (too many wrong tokens).",
  },
  "dashboard.viewers": { kind: "gauge", unit: "browsers", tags: [], meaning: "Browsers that follow it live." },
  "dashboard.slow_viewers": {
    kind: "count",
    unit: "browsers",
    tags: [],
    meaning: "Live streams ended because the browser did not read them; it comes back by itself.",
  },
  "dashboard.look": { kind: "timing", unit: "ms", tags: [], meaning: "One look at the whole house." },
  "dashboard.actions": {
    kind: "count",
    unit: "actions",
    tags: ["what", "outcome"],
    meaning: "Swaps and drains asked for through the page or the API: done, failed.",
  },
  "dashboard.samples": {
    kind: "count",
    unit: "samples",
    tags: ["outcome"],
    meaning: "Points of the plots: ok, or failed (Redis or the reporter was away).",
  },
} as const satisfies MetricTable;
