// What discovery measures.

import type { MetricTable } from "../metrics/metrics.js";

export const discoveryMetrics = {
  "discovery.beats": {
    kind: "count",
    unit: "beats",
    tags: ["outcome"],
    meaning:
      "Heartbeats written (ok), not written because Redis was down (failed), or refused because the instance was declared dead (refused).",
  },
  "discovery.beat": { kind: "timing", unit: "ms", tags: [], meaning: "Duration of writing a heartbeat." },
  "discovery.polls": {
    kind: "count",
    unit: "reads",
    tags: ["outcome"],
    meaning: "Reads of the index: ok, or failed because Redis was down (the last known instances are kept).",
  },
  "discovery.broken": {
    kind: "count",
    unit: "records",
    tags: ["where"],
    meaning: "Registrations (hash) or announcements (channel) that do not fit the schema and were skipped.",
  },
} as const satisfies MetricTable;
