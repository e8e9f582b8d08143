// What the reporter measures.

import type { MetricTable } from "../../lib/wiring/index.js";

export const metricTable = {
  "reporter.shares": {
    kind: "count",
    unit: "shares",
    tags: ["outcome"],
    meaning:
      "Shares by outcome, as answered: recorded (or spooled), redelivered (again by the same line), duplicate, refused (it cannot be written; see the log).",
  },
  "reporter.batch": {
    kind: "timing",
    unit: "ms",
    tags: [],
    meaning: "One script call of Redis, or one write of the spool, all its shares together.",
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
  "reporter.outages": {
    kind: "count",
    unit: "outages",
    tags: ["why"],
    meaning: "Redis did not take shares and the spool took over: away, slow, full (maxmemory), refused (see the log).",
  },
  "reporter.restored": {
    kind: "count",
    unit: "shares",
    tags: [],
    meaning:
      "Shares that Redis had taken, came back without, and was given again. More than a few: look at its persistence.",
  },
  "reporter.spool.length": {
    kind: "gauge",
    unit: "shares",
    tags: [],
    meaning: "Shares and blocks on disk that Redis does not have yet.",
  },
  "reporter.spool.bytes": { kind: "gauge", unit: "bytes", tags: [], meaning: "Size of the spool's files." },
  "reporter.spool.write": { kind: "timing", unit: "ms", tags: [], meaning: "One write to the spool, synced." },
  "reporter.spool.spooled": { kind: "count", unit: "shares", tags: [], meaning: "Shares that went to the spool." },
  "reporter.spool.flushed": {
    kind: "count",
    unit: "shares",
    tags: ["outcome"],
    meaning: "Shares from the spool that stand in the log: recorded now, or redelivered (they were there).",
  },
  "reporter.spool.late_duplicates": {
    kind: "count",
    unit: "shares",
    tags: [],
    meaning:
      "Shares answered `true` during an outage that turned out to be somebody else's before: not in the log twice.",
  },
  "reporter.spool.refused": {
    kind: "count",
    unit: "writes",
    tags: ["why"],
    meaning: "The spool took nothing and shares stayed unanswered: full (bytesMax), disk.",
  },
  "reporter.spool.adopted": {
    kind: "count",
    unit: "files",
    tags: [],
    meaning: "Spools of reporters that are gone, taken over.",
  },
  "reporter.spool.left": {
    kind: "gauge",
    unit: "files",
    tags: [],
    meaning:
      "Spools that cannot be taken over, such as those of a newer release; they stay. The log says which and why.",
  },
  "reporter.spool.unreadable": {
    kind: "count",
    unit: "parts",
    tags: ["ending"],
    meaning:
      "Parts of spools that the disk did not give back: torn (a last write cut short, as kill -9 leaves it), damaged (look at the disk). Kept as CLUSTER.ID.torn or .damaged in the spool's folder.",
  },
  "reporter.log.length": { kind: "gauge", unit: "records", tags: [], meaning: "Records that the share log holds." },
  "reporter.workers": {
    kind: "gauge",
    unit: "workers",
    tags: [],
    meaning: "Workers with totals. At reporter.workersMax those seen longest ago are forgotten.",
  },
  "reporter.archive.records": { kind: "count", unit: "records", tags: [], meaning: "Records handed to the archive." },
  "reporter.archive.failures": {
    kind: "count",
    unit: "attempts",
    tags: [],
    meaning: "The archive did not take a file; tried again at the next look. Look at logLengthMax.",
  },
} as const satisfies MetricTable;
