// Redis is there and is no good: slow, or full. Under a pool that mines.

import { expect, test } from "@jest/globals";
import { reporter } from "../../lib/contracts/index.js";
import { Miner, type TestPool } from "../kit/pool.js";
import { startRedis } from "../kit/redis.js";
import { Crowd, startSharePool } from "../kit/share-pool.js";
import { startSlowProxy } from "../kit/slow-proxy.js";
import { until } from "../kit/until.js";

const TEST_MS = 120_000;
const durable = { args: ["--appendonly", "yes", "--appendfsync", "always"] };

/** Where each reporter records now. Opened while all is well: a new client needs discovery. */
async function watchRecording({ house }: TestPool): Promise<() => Promise<string[]>> {
  const client = house.nexus.client(reporter);
  await client.ready(5_000, 2);
  return async () => {
    const all = client.instances().map(({ id }) => client.call("status", {}, { to: id }));
    return (await Promise.all(all)).map(({ recording }) => recording);
  };
}

test(
  "C3, S1: Redis answers late, then too late, then well: nobody is disconnected, each `true` is in the log once",
  async () => {
    const redis = await startRedis(durable);
    const proxy = await startSlowProxy(redis.port);
    const { pool } = await startSharePool(redis, { redis: { url: proxy.url } });
    const recording = await watchRecording(pool);
    const crowd = await Crowd.start(pool, 6);
    await crowd.goesOn(5, 10_000);
    proxy.delayMs = 50; // A question and its answer take 100 ms, less than `reporter.spool.patienceMs`.
    await crowd.goesOn(5, 15_000);
    await until("late answers will do", 20_000, async () => (await recording()).every((it) => it === "redis"));
    proxy.delayMs = 1_500; // 3 s for a question and its answer: longer than anybody waits for Redis.
    await until("the spools take over", 15_000, async () => (await recording()).includes("spool"));
    await crowd.goesOn(5, 15_000);
    proxy.delayMs = 0;
    await until("Redis is used again", 20_000, async () => (await recording()).every((it) => it === "redis"));
    await crowd.goesOn(5, 10_000);
    await crowd.stop();
    crowd.mustBeConnected();
    expect(crowd.refused).toEqual([]);
    await crowd.mustBeInLog(await redis.asking());
  },
  TEST_MS,
);

test(
  "C3, S1: Redis is full: miners go on being answered, new ones come in, and the log gets everything when there is room",
  async () => {
    const redis = await startRedis(durable);
    const { pool } = await startSharePool(redis);
    const recording = await watchRecording(pool);
    const crowd = await Crowd.start(pool, 6);
    await crowd.goesOn(5, 10_000);
    const admin = await redis.asking();
    await admin.config("SET", "maxmemory-policy", "noeviction", "maxmemory", "1");
    await crowd.goesOn(5, 10_000);
    expect(await recording()).toContain("spool");
    const late = await Miner.start(pool, "late.rig");
    expect(await late.mine()).toBe(true);
    await admin.config("SET", "maxmemory", "0");
    await until("Redis is used again", 20_000, async () => (await recording()).every((it) => it === "redis"));
    await crowd.goesOn(5, 10_000);
    await crowd.stop();
    crowd.mustBeConnected();
    expect(crowd.refused).toEqual([]);
    await crowd.mustBeInLog(admin);
  },
  TEST_MS,
);
