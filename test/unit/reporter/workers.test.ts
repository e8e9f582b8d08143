// Workers' names are the miners' word: what they may cost is bounded, and what a round or a reply does not hold is said.

import { expect, test } from "@jest/globals";
import { reporter } from "../../../lib/contracts/index.js";
import { open } from "../../../services/reporter/main.js";
import { metricTable } from "../../../services/reporter/metrics.js";
import { settings } from "../../../services/reporter/settings.js";
import { atEnd } from "../../kit/cleanup.js";
import { openTestHouse } from "../../kit/house.js";
import { startRedis } from "../../kit/redis.js";
import { aShare, HASHES_PER_DIFFICULTY } from "./shares.js";

async function start(plain: object) {
  const redis = await startRedis();
  const house = await openTestHouse(redis, { tables: [metricTable] });
  const running = await open(house, settings.parse(plain));
  atEnd(() => running.close());
  const client = house.nexus.client(reporter);
  await client.ready(5_000);
  let line = 0;
  const record = (workers: readonly string[], difficulty: number, at = Date.now()) => {
    const shares = workers.map((worker) => aShare(++line, { line, worker, difficulty, at }));
    return client.call("recordShares", { shares, hashesPerDifficulty: HASHES_PER_DIFFICULTY });
  };
  return { client, record, redis: redis.client() };
}

const names = (prefix: string, count: number) => Array.from({ length: count }, (_, i) => `${prefix}${i}`);

test("invented names push out the totals of those seen longest ago, and no more are kept than workersMax", async () => {
  const { client, record, redis } = await start({ workersMax: 1_000 });
  const anHourAgo = Date.now() - 3_600_000;
  await record(["gone.1"], 8, anHourAgo);
  await record(["honest.1"], 8, anHourAgo + 1);
  for (let i = 0; i < 3; i++) {
    await record(["honest.1"], 8);
    await record(names(`fake${i}.`, 999), 1, anHourAgo + 60_000 * (i + 1));
  }
  expect(await redis.zcard("hf:{test}:share:workers")).toBe(1_000);
  expect(await redis.keys("hf:{test}:share:worker:*")).toHaveLength(1_000);
  const { workers } = await client.call("workers", { match: "honest", limit: 5 });
  expect(workers).toMatchObject([{ worker: "honest.1", accepted: 4 }]);
  expect((await client.call("workers", { match: "gone", limit: 5 })).workers).toEqual([]);
  expect(await client.call("pool", {})).toMatchObject({ accepted: 5 + 3 * 999 });
});

test("a round lists the roundWorkersMax workers with the most credit, and says how much the others had", async () => {
  const { client, record } = await start({ roundWorkersMax: 1_000 });
  await record(["alice.1", "bob.1"], 64);
  await record(names("fake.", 1_500), 0.5);
  const { rounds } = await client.call("rounds", { limit: 1 });
  expect(rounds).toMatchObject([
    { shares: 1_502, difficultySum: 128 + 750, difficultyLeftOut: 502 * 0.5, workerCount: 1_000 },
  ]);
  expect(rounds[0]?.workers.slice(0, 2).map(({ worker }) => worker)).toEqual(["bob.1", "alice.1"]);
});

test("a round of more workers than one reply holds says how many there are, and gives the rest page by page", async () => {
  const { client, record } = await start({});
  for (let i = 0; i < 3; i++) await record(names(`w${i}.`, 4_000), i + 1);
  const [round] = (await client.call("rounds", { limit: 1 })).rounds;
  expect(round?.workers).toHaveLength(10_000);
  expect(round?.workerCount).toBe(12_000);
  const rest = await client.call("roundWorkers", { round: 1, from: 10_000, limit: 10_000 });
  expect(rest.workerCount).toBe(12_000);
  const all = [...(round?.workers ?? []), ...rest.workers];
  expect(new Set(all.map(({ worker }) => worker)).size).toBe(12_000);
  expect(all.reduce((sum, { difficulty }) => sum + difficulty, 0)).toBe(24_000);
});
