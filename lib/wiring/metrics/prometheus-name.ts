// How a measurement is called where Prometheus fetches it.

import type { MetricSpec } from "./metrics.js";

const PREFIX = "headframe_";

/** `stratum.share_ms` -> `headframe_stratum_share_seconds`; `_seconds` and `_total` as Prometheus' own rules have it. */
export function prometheusName(name: string, kind: MetricSpec["kind"]): string {
  const words = name.replaceAll(/([a-z])([A-Z])/g, "$1_$2").replaceAll(/[^a-zA-Z0-9]+/g, "_");
  const plain = `${PREFIX}${words.toLowerCase()}`;
  if (kind === "count") return `${plain}_total`;
  return kind === "timing" ? `${plain.replace(/_ms$/, "")}_seconds` : plain;
}
