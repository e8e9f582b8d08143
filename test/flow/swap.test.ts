// Swaps and drains of a whole pool under load: nobody is disconnected, nobody waits, each `true` is in the log once.

import { readFile, writeFile } from "node:fs/promises";
import { expect, test } from "@jest/globals";
import { Registry } from "../../lib/wiring/index.js";
import { atEnd } from "../kit/cleanup.js";
import { headframe } from "../kit/command.js";
import type { TestPool } from "../kit/pool.js";
import { startRedis } from "../kit/redis.js";
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
  return { pool, registry, crowd };
}

interface Report {
  readonly ok: boolean;
  readonly reason?: string;
  readonly serving: readonly { readonly id: string; readonly pid: number }[];
}

async function swap(pool: TestPool, service: string, ...more: string[]) {
  const { exitCode, stdout, stderr } = await headframe("swap", service, "--config", pool.configFile, "--json", ...more);
  return { ...(JSON.parse(stdout || "{}") as Report), exitCode, stderr };
}

/** The longest wait of a miner since the last look. */
async function look(crowd: Crowd): Promise<number> {
  await crowd.goesOn(3, 10_000);
  crowd.mustBeConnected();
  expect(crowd.refused).toEqual([]);
  const slowestMs = Math.max(...crowd.miners.map((miner) => miner.slowestMs));
  for (const miner of crowd.miners) miner.slowestMs = 0;
  return Math.round(slowestMs);
}

async function finish(crowd: Crowd, pool: TestPool): Promise<void> {
  await crowd.stop();
  crowd.mustBeConnected();
  await crowd.mustBeInLog(pool.house.redis.shares);
}

const sorted = (pids: readonly number[]) => [...pids].sort((a, b) => a - b);

async function readyIds(registry: Registry, service: string): Promise<string[]> {
  return (await registry.list(service)).filter(({ state }) => state === "ready").map(({ id }) => id);
}

test(
  "C1 stratum, jobmanager and reporter are swapped under load: other processes, the same connections, no wait above a second",
  async () => {
    const { pool, registry, crowd } = await setup();
    await look(crowd);
    for (const service of ["stratum", "jobmanager", "reporter"]) {
      const before = pool.pids(service);
      const report = await swap(pool, service);
      expect(report).toMatchObject({ exitCode: 0, ok: true, stderr: "" });
      expect(await look(crowd)).toBeLessThan(PATIENCE_MS);
      const after = pool.pids(service);
      expect(after).toHaveLength(before.length);
      expect(after.filter((pid) => before.includes(pid))).toEqual([]);
      expect(sorted((await registry.list(service)).map(({ pid }) => pid))).toEqual(sorted(after));
      expect(sorted(report.serving.map(({ pid }) => pid))).toEqual(sorted(after));
    }
    await finish(crowd, pool);
  },
  TEST_MS,
);

test(
  "a new edge that cannot start is none: the old one keeps its clients, and the reason is printed",
  async () => {
    const { pool, registry, crowd } = await setup();
    await look(crowd);
    const before = await readyIds(registry, "edge");
    const good = await readFile(pool.configFile, "utf8");
    const operators = `${pool.configFile}.operator`;
    await writeFile(operators, good);
    await writeFile(pool.configFile, `${good}\n[edge]\nhandoverSlice = "many"\n`);
    const { exitCode, stderr } = await headframe("swap", "edge", "--config", operators);
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/hand-over failed[\s\S]*handoverSlice/);
    expect(await readyIds(registry, "edge")).toEqual(before);
    expect(await look(crowd)).toBeLessThan(PATIENCE_MS);
    await finish(crowd, pool);
  },
  TEST_MS,
);
