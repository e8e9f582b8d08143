// Every metric that HAProxy's controller emits.

import type { MetricTable } from "../lib/wiring/index.js";

export const metricTable = {
  "haproxy.up": { kind: "gauge", unit: "processes", tags: [], meaning: "1 while HAProxy answers, else 0." },
  "haproxy.sessions": { kind: "gauge", unit: "sessions", tags: [], meaning: "Clients of the current HAProxy worker." },
  "haproxy.old_workers": {
    kind: "gauge",
    unit: "processes",
    tags: [],
    meaning: "Old HAProxy workers that still serve clients after a reload.",
  },
  "haproxy.servers": {
    kind: "gauge",
    unit: "servers",
    tags: ["state"],
    meaning: "Keepers as HAProxy sees them: up, down.",
  },
  "haproxy.banned": { kind: "gauge", unit: "addresses", tags: [], meaning: "Addresses banned now." },
  "haproxy.bans": { kind: "count", unit: "bans", tags: ["reason"], meaning: "Bans, by reason." },
  "haproxy.spared": {
    kind: "count",
    unit: "reports",
    tags: [],
    meaning: "Reports of addresses that are never banned (neverBan).",
  },
  "haproxy.reloads": { kind: "count", unit: "reloads", tags: ["outcome"], meaning: "Reloads of HAProxy: ok, failed." },
  "haproxy.servers_changed": {
    kind: "count",
    unit: "servers",
    tags: ["change"],
    meaning: "Keepers added to and removed from the running HAProxy.",
  },
} as const satisfies MetricTable;

export type MetricName = keyof typeof metricTable;
