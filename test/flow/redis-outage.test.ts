// Redis goes away under a pool that mines: nobody is disconnected, miners go on being answered, nothing is lost or counted twice.
//
// The outages are shorter than the 30 s of the promise: whatever has a time in it (heartbeats of 5 s, a client's patience with
// Redis of 2 s) has passed after eight.

import { readdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { expect, test } from "@jest/globals";
import { reporter } from "../../lib/contracts/index.js";
import { Miner, type TestPool } from "../kit/pool.js";
import { startRedis } from "../kit/redis.js";
import { Crowd, startSharePool } from "../kit/share-pool.js";
import { until } from "../kit/until.js";

const TEST_MS = 120_000;
/** Longer than an instance is believed without a heartbeat. */
const OUTAGE_MS = 8_000;

/** What a Redis that shares are entrusted to must have. */
const durable = { args: ["--appendonly", "yes", "--appendfsync", "always"] };

/** Shares that wait in the spools of all reporters. Opened before the outage: a new client needs discovery. */
async function watchSpools({ house }: TestPool): Promise<() => Promise<number>> {
  const client = house.nexus.client(reporter);
  await client.ready(5_000, 2);
  return async () => {
    const asked = client.instances().map(({ id }) => client.call("status", {}, { to: id }));
    return (await Promise.all(asked)).reduce((sum, { spool }) => sum + (spool?.length ?? 0), 0);
  };
}

test(
  "C3, S1: Redis is stopped and started again: no client is disconnected, shares are answered all the time, each once in the log",
  async () => {
    const redis = await startRedis(durable);
    const { pool, tip } = await startSharePool(redis);
    const spooled = await watchSpools(pool);
    const crowd = await Crowd.start(pool, 8);
    await crowd.goesOn(5, 10_000);
    await redis.stop("SIGTERM");
    await crowd.goesOn(5, 5_000);
    expect(await spooled()).toBeGreaterThan(0);
    tip(); // A job does not need Redis.
    const jobs = crowd.miners.map(({ client }) => client.work?.previousHash);
    await until("everybody has work for the new tip", 10_000, () =>
      crowd.miners.every(({ client }, i) => client.work?.previousHash !== jobs[i]),
    );
    await crowd.goesOn(5, 5_000);
    const late = await Miner.start(pool, "late.rig"); // From the numbers in hand.
    expect(await late.mine()).toBe(true);
    await delay(OUTAGE_MS);
    await crowd.goesOn(5, 5_000);
    await redis.start();
    await until("the spool is flushed", 15_000, async () => (await spooled()) === 0);
    await crowd.goesOn(5, 5_000);
    await crowd.stop();
    crowd.mustBeConnected();
    expect(new Set(crowd.refused)).toEqual(new Set(crowd.refused.length > 0 ? [21] : [])); // At the new tip: stale.
    await crowd.mustBeInLog(await redis.asking());
    const extranonces = [...crowd.miners, late].map(({ session }) => session.extranonce1);
    expect(new Set(extranonces).size).toBe(extranonces.length);
  },
  TEST_MS,
);

test(
  "C3, S1: Redis stands still for a while: no client is disconnected, shares are answered all the time, each once in the log",
  async () => {
    const redis = await startRedis(durable);
    const { pool } = await startSharePool(redis);
    const spooled = await watchSpools(pool);
    const crowd = await Crowd.start(pool, 8);
    await crowd.goesOn(5, 10_000);
    redis.freeze();
    await crowd.goesOn(5, 5_000);
    await delay(OUTAGE_MS);
    await crowd.goesOn(5, 5_000);
    redis.thaw();
    await until("the spool is flushed", 15_000, async () => (await spooled()) === 0);
    await crowd.goesOn(5, 5_000);
    await crowd.stop();
    crowd.mustBeConnected();
    expect(crowd.refused).toEqual([]);
    await crowd.mustBeInLog(await redis.asking());
  },
  TEST_MS,
);

test(
  "C3, S1: without a spool shares stay unanswered while Redis is away, and are answered `true` when it is back",
  async () => {
    const redis = await startRedis(durable);
    const { pool } = await startSharePool(redis, { reporter: { spool: { bytesMax: 0 } } });
    const crowd = await Crowd.start(pool, 4);
    await crowd.goesOn(5, 10_000);
    await redis.stop("SIGTERM");
    await delay(1_000);
    const silent = crowd.accepted;
    await delay(3_000);
    expect(crowd.accepted).toBe(silent);
    await redis.start();
    await crowd.goesOn(5, 10_000);
    await crowd.stop();
    crowd.mustBeConnected();
    expect(crowd.refused).toEqual([]);
    await crowd.mustBeInLog(await redis.asking());
  },
  TEST_MS,
);

test(
  "S1, C1: all reporters are killed with Redis away: their spools are flushed by the next ones, and what nobody had answered waits",
  async () => {
    const redis = await startRedis(durable);
    const { pool } = await startSharePool(redis);
    const crowd = await Crowd.start(pool, 4);
    await crowd.goesOn(5, 10_000);
    await redis.stop("SIGTERM");
    await crowd.goesOn(10, 5_000);
    const killed = pool.pids("reporter");
    for (const pid of killed) process.kill(pid, "SIGKILL");
    const spool = join(dirname(pool.configFile), "spool");
    const orphans = (await readdir(spool)).filter((name) => name.endsWith(".spool"));
    expect(orphans.map((name) => Number(name.split(".")[2]?.split("-")[0])).sort()).toEqual([...killed].sort());
    await delay(1_000);
    await redis.start();
    await crowd.goesOn(5, 30_000);
    await crowd.stop();
    crowd.mustBeConnected();
    expect(crowd.refused).toEqual([]);
    await crowd.mustBeInLog(await redis.asking());
    await until("no spool is left", 10_000, async () => (await readdir(spool)).length === 0);
  },
  TEST_MS,
);
