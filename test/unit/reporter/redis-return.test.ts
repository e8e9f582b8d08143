// A Redis that comes back as it was a while ago: it is given exactly what it lacks, however long ago that was recorded.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { pino } from "pino";
import { reporter } from "../../../lib/contracts/index.js";
import { noMetrics, WiringError } from "../../../lib/wiring/index.js";
import { open } from "../../../services/reporter/main.js";
import { metricTable } from "../../../services/reporter/metrics.js";
import { ShareStore } from "../../../services/reporter/out-redis.js";
import { Spool } from "../../../services/reporter/out-spool.js";
import { type Ledger, MARK_TTL_MS, type SpoolRecord } from "../../../services/reporter/ports.js";
import { Recent } from "../../../services/reporter/recent.js";
import { Recording } from "../../../services/reporter/recording.js";
import { settings } from "../../../services/reporter/settings.js";
import { atEnd } from "../../kit/cleanup.js";
import { openTestHouse } from "../../kit/house.js";
import { type RedisServer, startRedis } from "../../kit/redis.js";
import { until } from "../../kit/until.js";
import { aShare, HASHES_PER_DIFFICULTY } from "./shares.js";

async function start(redis: RedisServer) {
  const directory = await mkdtemp(join(tmpdir(), "headframe-return-"));
  atEnd(() => rm(directory, { recursive: true, force: true }));
  const house = await openTestHouse(redis, { tables: [metricTable] });
  const running = await open(house, settings.parse({ spool: { directory } }));
  atEnd(() => running.close());
  const client = house.nexus.client(reporter);
  await client.ready(5_000);
  return {
    client,
    counters: () => house.metrics.counters(),
    async record(...lines: number[]) {
      const shares = lines.map((line) => aShare(line, { line }));
      return (await client.call("recordShares", { shares, hashesPerDifficulty: HASHES_PER_DIFFICULTY })).outcomes;
    },
    /** After the loss of the connection was noticed. */
    async back(outages: number) {
      await until("the loss is noticed", 5_000, () => house.metrics.counters()["reporter.outages"] === outages);
      await until("Redis is used again", 10_000, async () => {
        const { recording, spool } = await client.call("status", {});
        return recording === "redis" && spool?.length === 0;
      });
    },
    async rounds() {
      const { rounds } = await client.call("rounds", { limit: 5 });
      return rounds.map(({ round, shares, block, status }) => ({ round, shares, closed: block !== undefined, status }));
    },
  };
}

async function logged(redis: RedisServer): Promise<number[]> {
  const entries = await (await redis.asking()).xrange("hf:{test}:shares", "-", "+");
  return entries.map(([, fields]) => Number(fields[fields.indexOf("line") + 1]));
}

/** As identityTtlMs later. */
const forgetIdentities = async (redis: RedisServer) => (await redis.asking()).del("hf:{test}:share:seen:100");

test("S1: a connection that is lost long after the last share counts nothing again", async () => {
  const redis = await startRedis();
  const it = await start(redis);
  await it.record(1, 2);
  await it.record(3);
  for (let outage = 1; outage <= 2; outage++) {
    await forgetIdentities(redis);
    await (await redis.asking()).call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
    await it.back(outage);
  }
  expect(await it.record(4)).toEqual(["recorded"]);
  expect(await logged(redis)).toEqual([1, 2, 3, 4]);
  expect(await it.client.call("pool", {})).toMatchObject({ accepted: 4, recorded: 4 });
  expect(await it.rounds()).toMatchObject([{ round: 1, shares: 4 }]);
});

test("S1: a Redis that comes back as a snapshot is given what came after it, once, whatever it has forgotten", async () => {
  const redis = await startRedis();
  const it = await start(redis);
  await it.record(1);
  await it.record(2);
  await forgetIdentities(redis);
  await (await redis.asking()).save();
  await it.record(3);
  await redis.stop();
  await redis.start(); // It has 1 and 2.
  await it.back(1);
  expect(await logged(redis)).toEqual([1, 2, 3]);
  await it.record(4);
  await redis.stop();
  await redis.start(); // As before: 3, which it had twice, is missing again.
  await it.back(2);
  expect(await logged(redis)).toEqual([1, 2, 3, 4]);
  expect(it.counters()["reporter.restored"]).toBe(3);
  expect(await it.client.call("pool", {})).toMatchObject({ accepted: 4 });
});

test("S1: a Redis that lost its last moments behind an unbroken connection is noticed by the next call", async () => {
  const redis = await startRedis();
  const it = await start(redis);
  await it.record(1);
  await it.record(2);
  await (await redis.asking()).flushall();
  expect(await it.record(3)).toEqual(["recorded"]);
  await it.back(1);
  expect(await logged(redis)).toEqual([1, 2, 3]);
});

test("S1: a block that Redis comes back without closes its round again, with the shares that were in it", async () => {
  const redis = await startRedis();
  const it = await start(redis);
  const { worker, at: foundAt } = aShare(0);
  const block = { hash: "ab".repeat(32), height: 100, worker, status: "accepted", confirmations: 1, foundAt } as const;
  await it.record(1);
  await (await redis.asking()).save();
  await it.record(2);
  expect(await it.client.call("recordBlock", block)).toEqual({ round: 1 });
  await it.record(3);
  const before = await it.rounds();
  expect(before).toMatchObject([{ shares: 1 }, { shares: 2, status: "accepted" }]);
  await redis.stop();
  await redis.start();
  await it.back(1);
  expect(await it.rounds()).toEqual(before);
  expect((await it.client.call("pool", {})).blocks).toBe(1);
});

test("S2: a duplicate does not change who brought the share: during an outage it is one still, and the first line is not", async () => {
  const redis = await startRedis({ args: ["--appendonly", "yes", "--appendfsync", "always"] });
  const it = await start(redis);
  const claim = async (line: number) => {
    const request = { shares: [aShare(1, { line })], hashesPerDifficulty: HASHES_PER_DIFFICULTY };
    return (await it.client.call("recordShares", request)).outcomes;
  };
  expect(await claim(1)).toEqual(["recorded"]);
  expect(await claim(2)).toEqual(["duplicate"]);
  await redis.stop();
  expect(await claim(2)).toEqual(["duplicate"]);
  expect(await claim(1)).not.toEqual(["duplicate"]);
  await redis.start();
  await it.back(1);
  expect(await logged(redis)).toEqual([1]);
});

test("a block in the spool that Redis fails stays there until Redis has it", async () => {
  const redis = await startRedis({ args: ["--appendonly", "yes", "--appendfsync", "always"] });
  const it = await start(redis);
  const { worker, at: foundAt } = aShare(0);
  const block = { hash: "cd".repeat(32), height: 100, worker, status: "accepted", confirmations: 1, foundAt } as const;
  await (await redis.asking()).set("hf:{test}:share:blocks", "somebody else's");
  await redis.stop();
  expect(await it.client.call("recordBlock", block)).toEqual({});
  await redis.start();
  await until("the block is refused", 10_000, async () => {
    const { trouble } = await it.client.call("status", {});
    return trouble?.includes("share:blocks") ?? false;
  });
  await (await redis.asking()).del("hf:{test}:share:blocks");
  await until("the spool is empty", 10_000, async () => (await it.client.call("status", {})).recording === "redis");
  expect((await it.client.call("blocks", { limit: 5 })).blocks).toMatchObject([
    { hash: block.hash, status: "accepted" },
  ]);
});

test("S1: a batch that Redis took, and whose answer was lost, is not recorded again from the spool, however long the outage was", async () => {
  const redis = await startRedis();
  const directory = await mkdtemp(join(tmpdir(), "headframe-return-"));
  atEnd(() => rm(directory, { recursive: true, force: true }));
  const common = { log: pino({ level: "silent" }), metrics: noMetrics, onAdopted: () => {} };
  const spool = await Spool.open({ directory, bytesMax: 1e9, cluster: "test", ...common });
  const store = new ShareStore(await redis.asking(), "test", settings.parse({}));
  let calls = 0;
  const ledger: Ledger = {
    process: store.process,
    block: (report, turn) => store.block(report, turn),
    lastTurn: () => store.lastTurn(),
    async record(...call) {
      calls += 1;
      const outcomes = await store.record(...call);
      if (calls > 1) return outcomes;
      await forgetIdentities(redis);
      throw new WiringError("UNAVAILABLE", "the connection broke");
    },
  };
  const hooks = { onRecorded: () => {}, onBlock: () => {} };
  const recording = new Recording({ ledger, spool, patienceMs: 5_000, ...common, ...hooks });
  const given = [1, 2].map((line) => ({ share: aShare(line, { line }), hashes: 1 }));
  expect(await recording.shares(given)).toEqual(["recorded", "recorded"]); // In the spool, too.
  await until("the spool is empty", 10_000, () => recording.mode === "direct" && spool?.length === 0);
  await recording.shares([{ share: aShare(3, { line: 3 }), hashes: 1 }]);
  expect(await logged(redis)).toEqual([1, 2, 3]);
  await recording.close();
  await spool?.close();
});

const sharesOf = (from: number, count: number): SpoolRecord => ({
  kind: "shares",
  shares: Array.from({ length: count }, (_, i) => ({ share: aShare(from + i, { line: from + i }), hashes: 1 })),
});
const turnsMissing = (recent: Recent, lastTurn: number, nowMs: number) =>
  recent.missing(lastTurn, nowMs).map(({ record }) => (record.kind === "shares" ? record.shares[0]?.share.line : 0));

test("what Redis lacks stays missing until it was given again, also when that is begun several times", () => {
  const recent = new Recent();
  for (let turn = 1; turn <= 4; turn++) recent.add(sharesOf(turn, 1), turn, 0);
  const [first] = recent.missing(2, 0); // It has 1 and 2.
  first?.stands(5); // 3 stands again; then it fails before 4.
  expect(turnsMissing(recent, 5, 0)).toEqual([4]);
  expect(turnsMissing(recent, 2, 0)).toEqual([3, 4]);
});

test("what was taken is kept for seconds, in bounded number, and is then forgotten by identity, too; nothing is given again after weeks", () => {
  const recent = new Recent();
  recent.add(sharesOf(1, 1), 1, 0);
  recent.add(sharesOf(2, 1), 2, 10_001);
  expect(recent.claimOf(aShare(1).identity)).toBeUndefined();
  expect(recent.claimOf(aShare(2).identity)).toBe("c1|2");
  expect(turnsMissing(recent, 0, 10_001 + MARK_TTL_MS)).toEqual([]);
  expect(turnsMissing(recent, 0, 10_001)).toEqual([2]);
  const one = sharesOf(9, 1);
  const many: SpoolRecord = one.kind === "shares" ? { kind: "shares", shares: Array(65_536).fill(one.shares[0]) } : one;
  recent.add(many, 3, 10_002);
  expect(turnsMissing(recent, 0, 10_002)).toEqual([9]);
});
