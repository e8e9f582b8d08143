// What the dashboard measures.

import type { MetricTable } from "../../lib/wiring/index.js";

export const metricTable = {
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
