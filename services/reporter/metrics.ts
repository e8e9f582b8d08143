// What the reporter measures.

import type { MetricTable } from "../../lib/wiring/index.js";

export const metricTable = {
  "reporter.shares": {
    kind: "count",
    unit: "shares",
    tags: ["outcome"],
    meaning: "Shares by outcome: recorded, redelivered (again by the same line), duplicate.",
  },
  "reporter.batch": {
    kind: "timing",
    unit: "ms",
    tags: [],
    meaning: "One script call of Redis, all its shares together.",
  },
  "reporter.queue": {
    kind: "gauge",
    unit: "shares",
    tags: [],
    meaning: "Shares that wait for the script call under way.",
  },
  "reporter.rejects": {
    kind: "count",
    unit: "shares",
    tags: ["reason"],
    meaning: "Shares that stratum refused, by reason.",
  },
  "reporter.blocks": { kind: "count", unit: "reports", tags: ["status"], meaning: "Changes of a block's status." },
  "reporter.failures": {
    kind: "count",
    unit: "calls",
    tags: ["method"],
    meaning: "Calls that failed because Redis was away or refused.",
  },
  "reporter.log.length": { kind: "gauge", unit: "records", tags: [], meaning: "Records that the share log holds." },
  "reporter.archive.records": { kind: "count", unit: "records", tags: [], meaning: "Records handed to the archive." },
  "reporter.archive.failures": {
    kind: "count",
    unit: "attempts",
    tags: [],
    meaning: "The archive did not take a file; tried again at the next look. Look at logLengthMax.",
  },
} as const satisfies MetricTable;
