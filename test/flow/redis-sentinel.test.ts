// Sentinels fail over under a pool that mines: a real master, two replicas, three sentinels.

import { expect, test } from "@jest/globals";
import { Registry } from "../../lib/wiring/index.js";
import { atEnd } from "../kit/cleanup.js";
import { Miner } from "../kit/pool.js";
import { startSentinels } from "../kit/sentinels.js";
import { Crowd, startSharePool } from "../kit/share-pool.js";
import { until } from "../kit/until.js";

const TEST_MS = 180_000;

test.each([
  ["killed", "SIGKILL"],
  ["stopped for good without closing a connection", "SIGSTOP"],
] as const)(
  "C3, S1, W4: the master is %s: a replica takes over, nobody is disconnected, no share is lost, instances find each other",
  async (_how, signal) => {
    const set = await startSentinels();
    const first = set.master();
    const redis = { sentinels: set.sentinels, sentinelName: set.name };
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
      async () => (await services()).join() === before.join(),
    );
    const late = await Miner.start(pool, "late.rig");
    expect(await late.mine()).toBe(true);
    await crowd.goesOn(3, 10_000);
    await crowd.stop();
    crowd.mustBeConnected();
    expect(crowd.refused).toEqual([]);
    await crowd.mustBeInLog(await second.asking(), 20_000);
  },
  TEST_MS,
);
