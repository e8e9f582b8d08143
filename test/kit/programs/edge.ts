// An edge process as a keeper forks it: a house on the test's Redis, the edge, and the usual signals.
//
//   node edge.js REDIS_URL CLUSTER SETTINGS_JSON

import { houseSettings, openHouse } from "../../../lib/wiring/index.js";
import { open } from "../../../services/edge/main.js";
import { metricTable } from "../../../services/edge/metrics.js";
import { settings } from "../../../services/edge/settings.js";

const DRAIN_MS = 10_000;
const [url = "", cluster = "", json = "{}"] = process.argv.slice(2);
const house = await openHouse(houseSettings.parse({ cluster, redis: { url }, log: { level: "error" } }), {
  beats: { everyMs: 200, ttlMs: 1_000, pollMs: 400 },
  tables: [metricTable],
  strict: true,
});
const running = await open(house, settings.parse(JSON.parse(json)));
process.once("SIGTERM", async () => {
  await running.drain(DRAIN_MS);
  await running.close();
  await house.close();
});
