// Everything that any process of the pool measures, service by service: for docs/metrics.md and for Prometheus' help texts.

import { metricTable as haproxy } from "../haproxy/metrics.js";
import { discoveryMetrics, type MetricTable, wiringMetricTable } from "../lib/wiring/index.js";
import { metricTable as dashboard } from "../services/dashboard/metrics.js";
import { metricTable as edge } from "../services/edge/metrics.js";
import { metricTable as jobmanager } from "../services/jobmanager/metrics.js";
import { metricTable as reporter } from "../services/reporter/metrics.js";
import { metricTable as stratum } from "../services/stratum/metrics.js";

/** Title -> table, in the order in which people read them. */
export const METRIC_TABLES: Readonly<Record<string, MetricTable>> = {
  Wiring: wiringMetricTable,
  Discovery: discoveryMetrics,
  jobmanager,
  edge,
  stratum,
  reporter,
  "haproxy (the controller)": haproxy,
  dashboard,
};
