// Measurements that nobody wants.

import type { Metrics } from "./metrics.js";

/** Takes everything, keeps nothing. */
export const noMetrics: Metrics = {
  count() {},
  gauge() {},
  timing() {},
  async close() {},
};
