// What a jobmanager measures.

import type { MetricTable } from "../../lib/wiring/index.js";

export const metricTable = {
  "jobmanager.jobs": {
    kind: "count",
    unit: "jobs",
    tags: ["reason"],
    meaning: "Jobs pushed; reason is tip (a new tip) or refresh (new work within a tip).",
  },
  "jobmanager.job.push": {
    kind: "timing",
    unit: "ms",
    tags: [],
    meaning: "Duration of queueing a new job for all subscribers.",
  },
  "jobmanager.template.wait": {
    kind: "timing",
    unit: "ms",
    tags: ["daemon"],
    meaning: "Round trip of a getblocktemplate that is not a long poll.",
  },
  "jobmanager.daemon.live": {
    kind: "gauge",
    unit: "0 or 1",
    tags: ["daemon"],
    meaning: "1 while the daemon is live, 0 while it is refused or down.",
  },
  "jobmanager.daemon.failures": {
    kind: "count",
    unit: "failures",
    tags: ["daemon", "kind"],
    meaning: "Number of times a daemon stopped being live; kind is refused or down.",
  },
  "jobmanager.height": { kind: "gauge", unit: "blocks", tags: [], meaning: "Block height of the current job." },
  "jobmanager.blocks": {
    kind: "count",
    unit: "blocks",
    tags: ["status"],
    meaning: "Changes of a found block's status: pending, accepted, rejected, orphaned, confirmed.",
  },
  "jobmanager.submits": {
    kind: "count",
    unit: "submits",
    tags: ["daemon", "outcome"],
    meaning: "Results of submitblock, per daemon.",
  },
  "jobmanager.submit.wait": {
    kind: "timing",
    unit: "ms",
    tags: [],
    meaning: "From the arrival of a block to the first acceptance by a daemon.",
  },
  "jobmanager.bodies.failures": {
    kind: "count",
    unit: "failures",
    tags: [],
    meaning: "Job bodies that could not be saved for the other jobmanagers.",
  },
  "jobmanager.records.failures": {
    kind: "count",
    unit: "failures",
    tags: [],
    meaning: "Failed attempts to send a block's status to the reporter; they are repeated.",
  },
} as const satisfies MetricTable;
