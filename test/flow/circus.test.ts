// The manager as an operator runs it: a program of its own, its file, signals, and being killed.

import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "@jest/globals";
import { execa } from "execa";
import { stringify } from "smol-toml";
import { CIRCUS_INI, callCircus } from "../../circus/index.js";
import { houseSettings, openHouse, Registry } from "../../lib/wiring/index.js";
import { alive, temporaryDirectory } from "../kit/circus.js";
import { atEnd } from "../kit/cleanup.js";
import { startDaemonStandIn } from "../kit/daemon-stand-in.js";
import { easyShares, hardChain } from "../kit/easy-chain.js";
import { Miner } from "../kit/pool.js";
import { freePort } from "../kit/ports.js";
import { startRedis } from "../kit/redis.js";
import { until } from "../kit/until.js";

const MAIN = fileURLToPath(new URL("../../circus/main.js", import.meta.url));

const INI = `[watcher:a]
shell = true
cmd = sleep 1000 & echo $! > $(circus.env.HEADFRAME_RUN)/grandchild.$(circus.wid); exec sleep 1000
copy_env = true
numprocesses = 2
[watcher:b]
cmd = sleep 1000
priority = 3
`;

function start(run: string, ini: string) {
  const file = path.join(run, "test.ini");
  writeFileSync(file, ini);
  const manager = execa(process.execPath, [MAIN, file], { env: { HEADFRAME_RUN: run }, reject: false, all: true });
  atEnd(async () => {
    manager.kill("SIGTERM");
    await manager;
  });
  return manager;
}

const endpoint = (run: string) => `ipc://${path.join(run, "circus.sock")}`;

async function started(run: string): Promise<number[]> {
  return until("both watchers run", 5_000, async () => {
    const { statuses } = await callCircus(endpoint(run), "status", {}, { timeoutMs: 500 });
    const { a, b } = statuses as Record<string, string>;
    return a === "active" && b === "active" && allPids(run);
  });
}

async function allPids(run: string): Promise<number[]> {
  const lists = await Promise.all(["a", "b"].map((name) => callCircus(endpoint(run), "list", { name })));
  const grandchildren = await until("the grandchildren are written down", 2_000, () => {
    const numbers = [1, 2].map((wid) => Number(readFileSync(path.join(run, `grandchild.${wid}`), "utf8")));
    return numbers.every((pid) => pid > 0) && numbers;
  });
  return [...lists.flatMap((list) => list.pids as number[]), ...grandchildren];
}

test("SIGTERM stops everything in order, exits 0 and leaves nothing behind", async () => {
  const run = temporaryDirectory();
  const manager = start(run, INI);
  const pids = await started(run);
  expect(pids).toHaveLength(5);
  manager.kill("SIGTERM");
  expect(await manager).toMatchObject({ exitCode: 0 });
  expect(pids.filter(alive)).toEqual([]);
  expect(readdirSync(run).filter((name) => name.startsWith("circus"))).toEqual([]);
});

test("the command quit does the same", async () => {
  const run = temporaryDirectory();
  const manager = start(run, INI);
  const pids = await started(run);
  await callCircus(endpoint(run), "quit");
  expect(await manager).toMatchObject({ exitCode: 0 });
  expect(pids.filter(alive)).toEqual([]);
});

test("after kill -9 of the manager, the next one ends what it left, and nothing else", async () => {
  const run = temporaryDirectory();
  const bystander = execa("sleep", ["1000"], { detached: true, reject: false });
  atEnd(() => bystander.kill("SIGKILL"));
  const killed = start(run, INI);
  const orphans = await started(run);
  killed.kill("SIGKILL");
  await killed;
  expect(orphans.filter(alive)).toEqual(orphans);
  start(run, INI);
  const fresh = await started(run);
  expect(orphans.filter(alive)).toEqual([]);
  expect(fresh.filter(alive)).toEqual(fresh);
  expect(alive(bystander.pid ?? 0)).toBe(true);
});

/** The pool's own circus.ini, run by the manager alone. */
async function runPool(run: string) {
  const [redis, daemon, port] = [await startRedis(), await startDaemonStandIn(hardChain()), await freePort()];
  const config = path.join(run, "headframe.toml");
  const text = stringify({
    ...{ runDirectory: run, redis: { url: redis.url }, ...easyShares() },
    jobmanager: {
      network: "regtest",
      payout: { script: "51" },
      daemons: [{ name: "a", url: daemon.url, user: "stand-in" }],
    },
    haproxy: { connectionsMax: 100, listeners: [{ name: "default", host: "127.0.0.1", port }] },
  });
  writeFileSync(config, text);
  const env = { HEADFRAME_RUN: run, HEADFRAME_CONFIG: config, PATH: `${process.env.PATH}:/usr/sbin:/sbin` };
  const manager = execa(process.execPath, [MAIN, CIRCUS_INI], { env, reject: false, all: true });
  atEnd(async () => {
    manager.kill("SIGTERM");
    await manager;
  });
  const house = await openHouse(houseSettings.parse({ redis: { url: redis.url }, log: { level: "silent" } }));
  atEnd(() => house.close());
  const registry = Registry.open({ redis: house.redis.discovery, cluster: house.cluster });
  atEnd(() => registry.close());
  return { manager, registry, port };
}

test("the pool's file, without `headframe up`: readiness by discovery, death certificates, nothing left behind", async () => {
  const run = temporaryDirectory();
  const { manager, registry, port } = await runPool(run);
  const statuses = async () => (await callCircus(endpoint(run), "status", {}, { timeoutMs: 1_000 })).statuses as object;
  await until("all is active, the door too", 60_000, async () => {
    const all = await statuses();
    return "haproxy" in all && Object.values(all).every((it) => it === "active");
  });
  const miner = await Miner.start({ port }, "m.1"); // `active` was true: there is a pool behind the door.
  expect(await miner.mine()).toBe(true);

  const pids = async () => (await callCircus(endpoint(run), "list", { name: "stratum" })).pids as number[];
  const before = await pids();
  let fewest = before.length;
  let heard = false; // A watch begins with what it knows: nothing.
  const unwatch = registry.watch("stratum", (all) => {
    const ready = all.filter(({ state }) => state === "ready").length;
    heard ||= ready > 0;
    if (heard) fewest = Math.min(fewest, ready);
  });
  await until("discovery is heard", 5_000, () => heard);
  await callCircus(endpoint(run), "reload", { name: "stratum", waiting: true }, { timeoutMs: 60_000 });
  unwatch();
  expect(fewest).toBe(before.length);
  const [victim = 0, ...others] = await pids();
  expect(before).not.toContain(victim);
  process.kill(victim, "SIGKILL");
  // Its heartbeat would last for four seconds at least; swap.test.ts says how fast a certificate is.
  await until("it has left discovery", 3_500, async () => {
    return !(await registry.list("stratum")).some(({ pid }) => pid === victim);
  });
  expect(await miner.mine()).toBe(true);
  expect(others).toHaveLength(before.length - 1);

  manager.kill("SIGTERM");
  expect(await manager).toMatchObject({ exitCode: 0 });
  expect(readdirSync(run).filter((name) => /sock|circus/.test(name))).toEqual([]);
}, 120_000);

describe("what cannot be run exits before anything starts", () => {
  test("a wrong file: exit 2, with file, line, key, what was found and what is accepted", async () => {
    const run = temporaryDirectory();
    const result = await start(run, "[watcher:a]\ncmd = sleep 1\nnumprocesses = many\nhooks.before_start = a.b");
    expect(result.exitCode).toBe(2);
    expect(result.all).toContain(
      'test.ini:3: [watcher:a], numprocesses: found "many"; accepted: an integer from 0 to 1000',
    );
    expect(result.all).toContain("test.ini:4: [watcher:a], hooks.before_start: not supported");
    expect(readdirSync(run)).toEqual(["test.ini"]);
  });

  test("a second manager in the same place: exit 1, and the first one goes on", async () => {
    const run = temporaryDirectory();
    start(run, INI);
    await started(run);
    const second = await start(run, INI);
    expect(second.exitCode).toBe(1);
    expect(second.all).toMatch(/belongs to a running manager, pid \d+/);
    expect(await callCircus(endpoint(run), "numwatchers")).toMatchObject({ numwatchers: 2 });
  });

  test("a wrong configuration of the pool: exit 2, with the key", async () => {
    const run = temporaryDirectory();
    const config = path.join(run, "headframe.toml");
    writeFileSync(config, "[redis]\nurl = 3\n");
    const env = { HEADFRAME_RUN: run, HEADFRAME_CONFIG: config };
    const result = await execa(process.execPath, [MAIN, CIRCUS_INI], { env, reject: false, all: true });
    expect(result).toMatchObject({ exitCode: 2, all: expect.stringContaining("redis.url") });
    expect(readdirSync(run)).toEqual(["headframe.toml"]);
  });

  test("no file: usage, exit 2", async () => {
    const result = await execa(process.execPath, [MAIN], { reject: false });
    expect(result).toMatchObject({ exitCode: 2, stderr: expect.stringContaining("usage:") });
  });
});
