// A connection to the run's own Redis, opened as every process of a house opens its own.

import { quiet } from "../../lib/wiring/index.js";
import { openRedis } from "../../lib/wiring/redis-open.js";
import { redisPlaces } from "../../lib/wiring/redis-place.js";
import { redisSettings } from "../../lib/wiring/redis-settings.js";

const READY_MS = 10_000;

export const connectTo = (url: string) =>
  openRedis(redisPlaces(redisSettings.parse({ url }), "bench"), { timeoutMs: READY_MS, log: quiet });
