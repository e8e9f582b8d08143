// Gauges: what only somebody who sees the whole can measure, for statsd and Prometheus. Pure.

import type { Metrics } from "../../lib/wiring/index.js";
import { HEALTHS, type HouseView, type PoolView } from "./model.js";

/** Figures that are not fresh are left as they were. */
export function measure(metrics: Metrics, pool: PoolView | undefined, { nodes }: HouseView): void {
  if (pool && !pool.stale) {
    metrics.gauge("pool.hashrate", pool.hashrate1m);
    metrics.gauge("pool.connections", pool.connections);
    metrics.gauge("pool.workers", pool.workersActive);
    metrics.gauge("pool.accepted", pool.accepted);
    metrics.gauge("pool.blocks", pool.blocks);
    for (const [reason, count] of Object.entries(pool.rejected)) metrics.gauge("pool.rejected", count, { reason });
  }
  for (const kind of new Set(nodes.map((it) => it.kind))) {
    for (const health of HEALTHS) {
      const count = nodes.filter((it) => it.kind === kind && it.health === health).length;
      if (kind !== "miners") metrics.gauge("pool.parts", count, { kind, health });
    }
  }
}
