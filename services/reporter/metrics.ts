// What the reporter measures.

import type { MetricTable } from "../../lib/wiring/index.js";

export const metricTable = {
  "reporter.shares": {
    kind: "count",
    unit: "shares",
    tags: ["outcome"],
    meaning:
      "Shares by outcome: recorded (or spooled), redelivered (the same line again), duplicate, refused (cannot be written; see the log).",
  },
  "reporter.batch": {
    kind: "timing",
    unit: "ms",
    tags: [],
    meaning: "Duration of one script call in Redis, or one write to the spool, for a whole batch.",
  },
  "reporter.queue": {
    kind: "gauge",
    unit: "shares",
    tags: [],
    meaning: "Shares waiting for the current script call.",
  },
  "reporter.rejects": {
    kind: "count",
    unit: "shares",
    tags: ["reason"],
    meaning: "Shares that stratum rejected, by reason.",
  },
  "reporter.blocks": { kind: "count", unit: "reports", tags: ["status"], meaning: "Changes of a block's status." },
  "reporter.failures": {
    kind: "count",
    unit: "calls",
    tags: ["method"],
    meaning: "Calls that failed because Redis was down or refused them.",
  },
  "reporter.outages": {
    kind: "count",
    unit: "outages",
    tags: ["why"],
    meaning: "Number of times the spool took over from Redis: away, slow, full (maxmemory), refused (see the log).",
  },
  "reporter.restored": {
    kind: "count",
    unit: "shares",
    tags: [],
    meaning:
      "Shares that Redis had lost when it came back, and that were recorded again. If there are many, check its persistence.",
  },
  "reporter.spool.length": {
    kind: "gauge",
    unit: "shares",
    tags: [],
    meaning: "Shares and blocks in the spool that Redis does not have yet.",
  },
  "reporter.spool.bytes": { kind: "gauge", unit: "bytes", tags: [], meaning: "Size of the spool's files." },
  "reporter.spool.write": {
    kind: "timing",
    unit: "ms",
    tags: [],
    meaning: "Duration of one synced write to the spool.",
  },
  "reporter.spool.spooled": { kind: "count", unit: "shares", tags: [], meaning: "Shares written to the spool." },
  "reporter.spool.flushed": {
    kind: "count",
    unit: "shares",
    tags: ["outcome"],
    meaning: "Shares from the spool that are in the log: recorded now, or redelivered (recorded before).",
  },
  "reporter.spool.late_duplicates": {
    kind: "count",
    unit: "shares",
    tags: [],
    meaning: "Shares answered `true` during an outage that turned out to be duplicates; the log has them once.",
  },
  "reporter.spool.refused": {
    kind: "count",
    unit: "writes",
    tags: ["why"],
    meaning: "Failed writes to the spool, for which shares stayed unanswered: full (bytesMax), disk.",
  },
  "reporter.spool.adopted": {
    kind: "count",
    unit: "files",
    tags: [],
    meaning: "Spools taken over from reporters that are gone.",
  },
  "reporter.spool.left": {
    kind: "gauge",
    unit: "files",
    tags: [],
    meaning: "Spools that cannot be taken over, such as those of a newer release. They stay; the log has the reason.",
  },
  "reporter.spool.unreadable": {
    kind: "count",
    unit: "parts",
    tags: ["ending"],
    meaning:
      "Unreadable parts of spools: torn (the last write was incomplete, as after kill -9), damaged (check the disk). They are kept as CLUSTER.ID.torn or .damaged in the spool's folder.",
  },
  "reporter.log.length": { kind: "gauge", unit: "records", tags: [], meaning: "Records in the share log." },
  "reporter.workers": {
    kind: "gauge",
    unit: "workers",
    tags: [],
    meaning: "Workers with totals. Beyond reporter.workersMax the workers inactive longest are removed.",
  },
  "reporter.archive.records": { kind: "count", unit: "records", tags: [], meaning: "Records given to the archive." },
  "reporter.archive.failures": {
    kind: "count",
    unit: "attempts",
    tags: [],
    meaning: "Failed attempts to archive a file; repeated at the next check. Watch logLengthMax.",
  },
} as const satisfies MetricTable;
