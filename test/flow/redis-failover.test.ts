// Redis fails over under a pool that mines: a real master with two replicas and three sentinels; a real cluster of three with a
// replica of the server that has our keys.

import { expect, test } from "@jest/globals";
import { Registry } from "../../lib/wiring/index.js";
import { atEnd } from "../kit/cleanup.js";
import { Miner } from "../kit/pool.js";
import type { RedisServer } from "../kit/redis.js";
import { startCluster } from "../kit/redis-cluster.js";
import { startSentinels } from "../kit/sentinels.js";
import { Crowd, startSharePool } from "../kit/share-pool.js";
import { until } from "../kit/until.js";

const TEST_MS = 180_000;

interface Set {
  master(): RedisServer;
  promoted(): Promise<RedisServer>;
}

test.each([
  ["killed", "SIGKILL"],
  ["stopped for good without closing a connection", "SIGSTOP"],
] as const)(
  "C3, S1, W4: the master is %s: a replica takes over, nobody is disconnected, no share is lost, instances find each other",
  async (_how, signal) => {
    const set = await startSentinels();
    await survives(set, { sentinels: set.sentinels, sentinelName: set.name }, signal);
  },
  TEST_MS,
);

test(
  "C3, S1, W4: the cluster's server with our keys is killed: its replica takes over, nobody is disconnected, no share is lost",
  async () => {
    const set = await startCluster("headframe");
    await survives(set, { clusterNodes: set.nodes }, "SIGKILL");
  },
  TEST_MS,
);

async function survives(set: Set, redis: object, signal: NodeJS.Signals): Promise<void> {
  const first = set.master();
  const { pool } = await startSharePool(first, { redis });
  const registry = Registry.open({ redis: pool.house.redis.discovery, cluster: pool.house.cluster });
  atEnd(() => registry.close());
  const services = async () => [...new Set((await registry.list()).map(({ service }) => service))].sort();
  const before = await services();
  const crowd = await Crowd.start(pool, 6);
  await crowd.goesOn(5, 10_000);
  process.kill(first.pid, signal);
  await crowd.goesOn(3, 10_000);
  const second = await set.promoted();
  await crowd.goesOn(3, 10_000);
  await until(
    "everybody is registered at the new master",
    20_000,
    async () => (await services().catch(() => [])).join() === before.join(), // Its own connection may be on its way there.
  );
  const late = await Miner.start(pool, "late.rig");
  expect(await late.mine()).toBe(true);
  await crowd.goesOn(3, 10_000);
  await crowd.stop();
  crowd.mustBeConnected();
  expect(crowd.refused).toEqual([]);
  await crowd.mustBeInLog(await second.asking(), 20_000);
}
