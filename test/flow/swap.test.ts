// Swaps and drains of a whole pool under load: nobody is disconnected, nobody waits, each `true` is in the log once.

import { expect, test } from "@jest/globals";
import { type Instance, Registry } from "../../lib/wiring/index.js";
import { atEnd } from "../kit/cleanup.js";
import { headframe } from "../kit/command.js";
import type { TestPool } from "../kit/pool.js";
import { type RedisServer, startRedis } from "../kit/redis.js";
import { Crowd, startSharePool } from "../kit/share-pool.js";

const TEST_MS = 120_000;
const CROWD = 6;
/** C1 */
const PATIENCE_MS = 1_000;

async function setup() {
  const redis = await startRedis();
  const { pool } = await startSharePool(redis);
  const registry = Registry.open({ redis: pool.house.redis.discovery, cluster: pool.house.cluster });
  atEnd(() => registry.close());
  const crowd = await Crowd.start(pool, CROWD);
  await crowd.goesOn(3, 10_000);
  return { redis, pool, registry, crowd };
}

interface Report {
  readonly ok: boolean;
  readonly reason?: string;
  readonly serving: readonly { readonly id: string; readonly pid: number }[];
  readonly steps: readonly { readonly what: string; readonly pid: number; readonly atMs: number }[];
}

async function swap(
  pool: TestPool,
  service: string,
  ...more: string[]
): Promise<Report & { exitCode: number | undefined; stderr: string }> {
  const { exitCode, stdout, stderr } = await headframe("swap", service, "--config", pool.configFile, "--json", ...more);
  return { ...(JSON.parse(stdout || "{}") as Report), exitCode, stderr };
}

/** What happened to the miners since they began, or since the last look. */
async function look(crowd: Crowd): Promise<number> {
  await crowd.goesOn(3, 10_000);
  crowd.mustBeConnected();
  expect(crowd.refused).toEqual([]);
  const slowestMs = Math.max(...crowd.miners.map((miner) => miner.slowestMs));
  for (const miner of crowd.miners) miner.slowestMs = 0;
  return Math.round(slowestMs);
}

async function finish(crowd: Crowd, redis: RedisServer, pool: TestPool): Promise<void> {
  await crowd.stop();
  crowd.mustBeConnected();
  void redis;
  await crowd.mustBeInLog(pool.house.redis.shares);
}

const pidsOf = (instances: readonly Instance[]) => instances.map(({ pid }) => pid).sort();

test(
  "stratum, jobmanager and reporter are swapped under load: other processes, the same connections, no wait above a second",
  async () => {
    const { redis, pool, registry, crowd } = await setup();
    await look(crowd);
    const waits: Record<string, number> = {};
    for (const service of ["stratum", "jobmanager", "reporter"]) {
      const before = pool.pids(service);
      const report = await swap(pool, service);
      expect(report).toMatchObject({ exitCode: 0, ok: true, stderr: "" });
      waits[service] = await look(crowd);
      const after = pool.pids(service);
      expect(after).toHaveLength(before.length);
      expect(after.filter((pid) => before.includes(pid))).toEqual([]);
      expect(pidsOf(await registry.list(service))).toEqual([...after].sort());
      expect(report.serving.map(({ pid }) => pid).sort()).toEqual([...after].sort());
    }
    process.stderr.write(`${JSON.stringify(waits)}\n`);
    for (const [service, ms] of Object.entries(waits)) expect([service, ms < PATIENCE_MS]).toEqual([service, true]);
    await finish(crowd, redis, pool);
  },
  TEST_MS,
);
