// house: a whole house on a test's own Redis, closed with the test.
//
//   const redis = await startRedis();
//   const house = await openTestHouse(redis, { tables: [metricTable] });   // undeclared metrics throw
//   const running = await open(house, settings.parse({}));

import {
  type HouseSettings,
  houseSettings,
  type MetricTable,
  type OpenedHouse,
  openHouse,
} from "../../lib/wiring/index.js";
import { atEnd, type Keep } from "./cleanup.js";
import type { RedisServer } from "./redis.js";

export interface TestHouseOptions {
  readonly keep?: Keep;
  /** Houses of one cluster see each other. Default `test`. */
  readonly cluster?: string;
  /** What is under test measures; when given, a metric that stands in none of them throws. */
  readonly tables?: readonly MetricTable[];
  readonly settings?: Partial<HouseSettings>;
}

/** Faster than in production, so that a test need not wait for seconds. */
const BEATS = { everyMs: 200, ttlMs: 1_000, pollMs: 400 };

export async function openTestHouse(redis: RedisServer, options: TestHouseOptions = {}): Promise<OpenedHouse> {
  const { cluster = "test", tables } = options;
  const plain = houseSettings.parse({ cluster, redis: { url: redis.url }, log: { level: "silent" } });
  const house = await openHouse(
    { ...plain, ...options.settings },
    { beats: BEATS, ...(tables ? { tables, strict: true } : {}) },
  );
  atEnd(() => house.close(), options.keep);
  return house;
}
