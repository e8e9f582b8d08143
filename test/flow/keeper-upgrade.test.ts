// A keeper is upgraded: another process holds the doors and every client, and nobody notices.

import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm, symlink, unlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { expect, test } from "@jest/globals";
import type { KeeperEvent } from "../../lib/contracts/index.js";
import { answeredUpTo, askers } from "../kit/asker.js";
import { alive } from "../kit/circus.js";
import { atEnd } from "../kit/cleanup.js";
import { EDGE_PROGRAM, KEEPER, type RunningKeeper, startKeeper, startLineBackend } from "../kit/keeper.js";
import { LineClient } from "../kit/line-client.js";
import { type RedisServer, startRedis } from "../kit/redis.js";
import { until } from "../kit/until.js";

const TEST_MS = 90_000;
const UPGRADE_MS = 20_000;

async function said(keeper: RunningKeeper, event: KeeperEvent, times = 1): Promise<void> {
  await until(
    `the keeper says: ${event}`,
    UPGRADE_MS,
    () => keeper.log.filter(({ msg }) => msg === event).length >= times,
  );
}

/** New clients at both doors, one after the other, until stopped; each must be served. */
function visitors(keeper: RunningKeeper) {
  let going = true;
  let served = 0;
  atEnd(() => {
    going = false;
  });
  const work = (async () => {
    while (going) {
      for (const door of [keeper.port, { path: keeper.path }]) {
        const client = await LineClient.connect(door);
        // A PROXY header is demanded at the unix door, as HAProxy sends it.
        if (typeof door !== "number") client.send(Buffer.from("PROXY TCP4 192.0.2.7 192.0.2.1 1000 3333\r\n"));
        expect(await client.ask("{v}")).toBe("{V}#1");
        served++;
        client.end();
      }
    }
  })();
  return {
    stop: async () => {
      going = false;
      await work;
      return served;
    },
  };
}

async function links(): Promise<{ keeper: string; replace(text: string): Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), "headframe-upgrade-"));
  atEnd(() => rm(folder, { recursive: true, force: true }));
  const keeper = join(folder, "keeper.js");
  await symlink(KEEPER, keeper);
  const replace = async (text: string) => {
    await unlink(keeper);
    await writeFile(keeper, text);
  };
  return { keeper, replace };
}

async function loaded(
  redis: RedisServer,
  options: Partial<Parameters<typeof startKeeper>[0]>,
  count: number,
  everyMs: number,
) {
  await Promise.all([startLineBackend(redis), startLineBackend(redis)]);
  const keeper = await startKeeper({ redis, ...options });
  const clients = await askers(keeper.port, count);
  for (const client of clients) client.start(everyMs);
  await until("the load runs", 15_000, () => clients.every(({ client }) => client.lines.length > 3));
  return { keeper, clients };
}

test(
  "three hundred clients under load and new ones all the time: two upgrades, and every line is answered exactly once",
  async () => {
    const redis = await startRedis();
    const { keeper, clients } = await loaded(redis, {}, 300, 100);
    const newcomers = visitors(keeper);
    for (const upgrade of [1, 2]) {
      const { pid } = keeper;
      process.kill(pid, "SIGUSR2");
      await said(keeper, "upgrade done: the successor has every client", upgrade);
      await until("the old keeper has ended", 2_000, () => !alive(pid));
      expect(keeper.pid).not.toBe(pid);
      await until("clients go on", 10_000, () => answeredUpTo(clients, 10));
    }
    expect(await newcomers.stop()).toBeGreaterThan(10);
    await Promise.all(clients.map((client) => client.stop()));
    for (const client of clients) client.expectAllOnce();
    // The last one is a keeper like any other: its edge may die, and its end clears its door.
    process.kill(keeper.edgePid, "SIGKILL");
    for (const { client } of clients.slice(0, 20)) {
      expect(client.closed).toBe(false);
      client.send("{last}");
    }
    await until("they are answered", 10_000, () =>
      clients.slice(0, 20).every(({ client }) => client.lines.at(-1)?.startsWith("{LAST}")),
    );
    await keeper.stop();
    expect(existsSync(keeper.path)).toBe(false);
  },
  TEST_MS,
);

test.each([
  ["ends at once", 'process.stderr.write("broken\\n"); process.exit(3);'],
  [
    "throws when it is told of its first client",
    'process.send({ kind: "ready" }); process.on("message", (m) => { if (m.kind === "client") throw new Error("broken"); });',
  ],
  [
    "stands still as soon as it may serve",
    'process.send({ kind: "ready", keeps: true, reaches: true }); process.on("message", (m) => { if (m.kind === "tell-kept") process.send({ kind: "kept" }); if (m.kind === "ping") process.send({ kind: "pong" }); if (m.kind === "serve") process.kill(process.pid, "SIGSTOP"); });',
  ],
  [
    "stands still when it was given everything",
    'process.send({ kind: "ready", keeps: true, reaches: true }); process.on("message", (m, s) => { s?.pause?.(); s?._handle?.readStop?.(); if (m.kind === "tell-kept") process.send({ kind: "kept" }); if (m.kind === "ping") process.send({ kind: "pong" }); if (m.kind === "yours") process.kill(process.pid, "SIGSTOP"); });',
  ],
  [
    "dies when it was given everything, before it says so",
    'process.send({ kind: "ready" }); process.on("message", (m, s) => { s?.pause?.(); s?._handle?.readStop?.(); if (m.kind === "yours") process.kill(process.pid, "SIGKILL"); });',
  ],
])(
  "a successor that %s is none: the old keeper stays, with every client",
  async (_how, program) => {
    const redis = await startRedis();
    const { keeper: link, replace } = await links();
    const { keeper, clients } = await loaded(redis, { program: link }, 40, 50);
    const { pid } = keeper;
    await replace(program);
    process.kill(pid, "SIGUSR2");
    await said(keeper, "upgrade failed: the successor ended; this keeper stays");
    await until("clients go on", 10_000, () => answeredUpTo(clients, 5));
    expect(keeper.pid).toBe(pid);
    await until("new clients, too", 15_000, async () => {
      const client = await LineClient.connect(keeper.port).catch(() => undefined);
      const answer = await client?.ask("{new}", 1_000).catch(() => undefined); // The bad one may have taken it with it.
      return answer === "{NEW}#1";
    });
    expect(existsSync(keeper.path)).toBe(true);
    // As with an edge that is killed: what a bad successor had been given is lost with it, a line or two; no client is.
    for (const client of clients) client.quit();
    for (const { client } of clients) client.send("{last}");
    await until("every client is served", 15_000, () =>
      clients.every(({ client }) => client.lines.at(-1)?.startsWith("{LAST}")),
    );
    for (const { client } of clients) expect(client.closed).toBe(false);
  },
  TEST_MS,
);

test.each([
  ["before it listens to it", 0],
  ["while its edge loads", 250],
])(
  "a successor whose predecessor is gone %s ends by itself, so that a fresh keeper can be started",
  async (_when, ms) => {
    const redis = await startRedis();
    const folder = await mkdtemp(join(tmpdir(), "headframe-heir-"));
    atEnd(() => rm(folder, { recursive: true, force: true }));
    const edge = [process.execPath, EDGE_PROGRAM, redis.url, "test", JSON.stringify({ backend: "lines" })];
    const heir = spawn(process.execPath, [KEEPER, "--listen", `unix:${folder}/keeper.sock`, "--", ...edge], {
      env: {
        ...process.env,
        HEADFRAME_SUCCEEDS: String(process.pid),
        HEADFRAME_KEEPER_EPOCH: "1",
        HEADFRAME_KEEPER_CLIENT: "1",
      },
      stdio: ["ignore", "ignore", "pipe", "ipc"],
      serialization: "advanced",
    });
    atEnd(async () => void heir.kill("SIGKILL"));
    await delay(ms);
    heir.disconnect();
    await until("it has ended", 10_000, () => heir.exitCode !== null || heir.signalCode !== null);
    expect(heir.exitCode).toBe(1);
  },
  TEST_MS,
);
