// A line backend as a process of its own, to be killed.
//
//   node line-backend.js REDIS_URL CLUSTER

import { houseSettings, openHouse } from "../../../lib/wiring/index.js";
import { LineBackend } from "../line-backend.js";

const DRAIN_MS = 5_000;
const [url = "", cluster = ""] = process.argv.slice(2);
const house = await openHouse(houseSettings.parse({ cluster, redis: { url }, log: { level: "error" } }), {
  beats: { everyMs: 200, ttlMs: 1_000, pollMs: 400 },
});
const backend = await LineBackend.host(house.nexus);
process.stdout.write("ready\n");
process.once("SIGTERM", async () => {
  await backend.hosted.drain(DRAIN_MS);
  await backend.hosted.close();
  await house.close();
});
