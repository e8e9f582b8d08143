// The reporter against a real Redis: each share once, rounds that no share falls between, figures that add up.

import { beforeEach, describe, expect, test } from "@jest/globals";
import { type BlockStatus, type ReporterContract, reporter, type Share } from "../../../lib/contracts/index.js";
import type { Client } from "../../../lib/wiring/index.js";
import { open } from "../../../services/reporter/main.js";
import { metricTable } from "../../../services/reporter/metrics.js";
import { settings } from "../../../services/reporter/settings.js";
import { atEnd } from "../../kit/cleanup.js";
import { openTestHouse } from "../../kit/house.js";
import { type RedisServer, startRedis } from "../../kit/redis.js";
import { until } from "../../kit/until.js";
import { aShare, HASHES_PER_DIFFICULTY } from "./shares.js";

let redis: RedisServer;

beforeEach(async () => {
  redis = await startRedis();
});

/** A reporter in a house of its own, and a client that reaches it. */
async function startReporter(plain: object = {}): Promise<Client<ReporterContract>> {
  const house = await openTestHouse(redis, { tables: [metricTable] });
  const running = await open(house, settings.parse(plain));
  atEnd(() => running.close());
  const client = house.nexus.client(reporter);
  await client.ready(5_000);
  return client;
}

async function record(client: Client<ReporterContract>, ...shares: Share[]): Promise<string> {
  const { outcomes } = await client.call("recordShares", { shares, hashesPerDifficulty: HASHES_PER_DIFFICULTY });
  return outcomes.join(" ");
}

const logLength = () => redis.client().xlen("hf:{test}:shares");

describe("recording", () => {
  test("a share is recorded once; the same line again is redelivered, another line's claim is a duplicate", async () => {
    const client = await startReporter();
    expect(await record(client, aShare(1), aShare(2, { line: 2 }))).toBe("recorded recorded");
    expect(await record(client, aShare(1), aShare(2, { line: 3 }), aShare(3, { line: 4 }))).toBe(
      "redelivered duplicate recorded",
    );
    expect(await record(client, aShare(1, { connection: "c2" }))).toBe("duplicate");
    expect(await record(client, aShare(9), aShare(9), aShare(9, { line: 2 }))).toBe("recorded redelivered duplicate");
    expect(await logLength()).toBe(4);
  });

  test("the same share brought to two reporters at once is recorded once", async () => {
    const [one, two] = [await startReporter(), await startReporter()];
    for (let round = 0; round < 20; round++) {
      const shares = Array.from({ length: 20 }, (_, i) => aShare(`${round}/${i}`, { line: i }));
      const outcomes = (await Promise.all([record(one, ...shares), record(two, ...shares)])).flatMap((it) =>
        it.split(" "),
      );
      expect(outcomes.filter((it) => it === "recorded")).toHaveLength(20);
      expect(outcomes.filter((it) => it === "redelivered")).toHaveLength(20);
    }
    expect(await logLength()).toBe(400);
  });

  test("a record in the log can be read with redis-cli", async () => {
    const client = await startReporter();
    await record(client, aShare(1, { block: true, at: 1_700_000_000_000 }));
    const [[, fields] = ["", []]] = await redis.client().xrange("hf:{test}:shares", "-", "+");
    const pairs = Object.fromEntries(fields.flatMap((name, i) => (i % 2 === 0 ? [[name, fields[i + 1]]] : [])));
    expect(pairs).toEqual({
      worker: "alice.rig1",
      difficulty: "2",
      achieved: "3.5",
      job: "1a",
      height: "100",
      connection: "c1",
      line: "1",
      at: "1700000000000",
      block: "1",
      id: "6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b",
    });
  });

  test("calls that overlap are recorded together, and a full batch is taken", async () => {
    const client = await startReporter();
    const calls = Array.from({ length: 50 }, (_, i) => record(client, aShare(`small ${i}`, { line: i })));
    const full = Array.from({ length: 4_096 }, (_, i) => aShare(`full ${i}`, { line: i }));
    const outcomes = await record(client, ...full);
    expect(new Set([...(await Promise.all(calls)), ...outcomes.split(" ")])).toEqual(new Set(["recorded"]));
    expect(await logLength()).toBe(4_146);
    // Lines 0 to 9 apart, the batches of small calls were far fewer than the calls.
    const stats = await redis.client().info("commandstats");
    expect(Number(/cmdstat_evalsha:calls=(\d+)/.exec(stats)?.[1])).toBeLessThan(50);
  });

  test("S1: the longest texts that the contract takes are recorded; a share that cannot be kept is refused alone", async () => {
    const client = await startReporter();
    const longest = { connection: "~".repeat(64), worker: "w".repeat(128), job: "f".repeat(8) };
    const endless = aShare(2, { line: 2, difficulty: 1e308 });
    expect(await record(client, aShare(1, longest), endless, aShare(3, { line: 3 }))).toBe("recorded refused recorded");
    const { shares } = await client.call("shares", { limit: 5 });
    expect(shares).toMatchObject([longest, { line: 3 }]);
    expect(await record(client, aShare(1, longest))).toBe("redelivered");
    expect(await client.call("pool", {})).toMatchObject({ accepted: 2 });
  });

  test("identities of a height are forgotten an hour after its last share", async () => {
    const client = await startReporter();
    await record(client, aShare(1));
    expect(await redis.client().pttl("hf:{test}:share:seen:100")).toBeGreaterThan(3_500_000);
  });

  test("the log keeps about its length", async () => {
    const client = await startReporter({ logLength: 1_000 });
    for (let i = 0; i < 3; i++) {
      await record(client, ...Array.from({ length: 1_000 }, (_, j) => aShare(`${i}/${j}`, { line: i * 1_000 + j })));
    }
    expect(await logLength()).toBeLessThan(1_300);
    expect((await client.call("pool", {})).recorded).toBe(3_000);
  });

  test("with Redis away a call fails as UNAVAILABLE within its time, and the share is recorded once it is back", async () => {
    const client = await startReporter();
    await record(client, aShare(1));
    await redis.stop();
    const shares = [aShare(2)];
    const call = client.call("recordShares", { shares, hashesPerDifficulty: 1 }, { timeoutMs: 300 });
    await expect(call).rejects.toMatchObject({ code: "UNAVAILABLE", retryable: true });
    await redis.start();
    await until("it is recorded", 5_000, async () => (await record(client, ...shares)) === "recorded");
  });
});

describe("figures", () => {
  test("accepted, rejected and credited difficulty add up, for the pool and for each worker", async () => {
    const client = await startReporter();
    const now = Date.now();
    await record(
      client,
      aShare(1, { worker: "alice", difficulty: 0.5, at: now - 2 }),
      aShare(2, { worker: "bob", difficulty: 1_024, at: now - 1 }),
      aShare(3, { worker: "alice", difficulty: 0.25, at: now }),
    );
    await client.call("recordRejects", {
      rejects: [
        { worker: aShare(0, { worker: "alice" }).worker, reason: "stale", count: 2 },
        { worker: aShare(0, { worker: "mallory" }).worker, reason: "unauthorized", count: 5 },
      ],
    });
    const pool = await client.call("pool", {});
    expect(pool).toMatchObject({ accepted: 3, recorded: 3, logLength: 3, workersActive: 2, blocks: 0, round: 1 });
    expect(pool.rejected).toEqual({ stale: 2, unauthorized: 5 });
    expect(pool.hashrate1m).toBeCloseTo((1_024.75 * HASHES_PER_DIFFICULTY) / 60, -3);
    expect(pool.hashrate1h).toBeCloseTo((1_024.75 * HASHES_PER_DIFFICULTY) / 3_600, -3);
    const { workers } = await client.call("workers", { limit: 10 });
    expect(workers).toHaveLength(2);
    const alice = workers.find(({ worker }) => worker === "alice");
    expect(alice).toMatchObject({ accepted: 2, rejected: 2, difficultySum: 0.75, lastShareAt: now });
    expect(alice?.hashrate5m).toBeCloseTo((0.75 * HASHES_PER_DIFFICULTY) / 300, 0);
    expect(await redis.client().exists("hf:{test}:share:worker:mallory")).toBe(0);
    expect((await client.call("workers", { match: "LIC", limit: 10 })).workers.map(({ worker }) => worker)).toEqual([
      "alice",
    ]);
    expect((await client.call("workers", { limit: 1 })).workers).toHaveLength(1);
  });

  test("shares spooled for a while count where they belong, and ones from a clock that is ahead count as now", async () => {
    const client = await startReporter();
    const now = Date.now();
    await record(client, aShare(1, { at: now - 120_000 }), aShare(2, { line: 2, at: now + 3_600_000 }));
    const pool = await client.call("pool", {});
    expect(pool.hashrate1m).toBeCloseTo((2 * HASHES_PER_DIFFICULTY) / 60, 0);
    expect(pool.hashrate5m).toBeCloseTo((4 * HASHES_PER_DIFFICULTY) / 300, 0);
    const { workers } = await client.call("workers", { limit: 1 });
    expect(workers[0]?.lastShareAt).toBeLessThan(now + 60_000);
  });

  test("an empty pool has figures too", async () => {
    const client = await startReporter();
    expect(await client.call("pool", {})).toMatchObject({ accepted: 0, recorded: 0, hashrate1h: 0, round: 1 });
    expect((await client.call("workers", { limit: 10 })).workers).toEqual([]);
    expect((await client.call("blocks", { limit: 10 })).blocks).toEqual([]);
    expect((await client.call("rounds", { limit: 10 })).rounds).toEqual([]);
  });

  test("live viewers hear of recorded shares and of blocks, and of nothing twice", async () => {
    const client = await startReporter();
    const heard: string[] = [];
    client.subscribe("recorded", {
      onMessage: ({ shares }) => void heard.push(...shares.map(({ line }) => `share ${line}`)),
    });
    client.subscribe("block", { onMessage: ({ status }) => void heard.push(status) });
    await record(client, aShare(1), aShare(2, { line: 2 }));
    await record(client, aShare(1), aShare(3, { line: 3 }));
    for (let i = 0; i < 2; i++) await client.call("recordBlock", aBlock("accepted"));
    await client.call("recordBlock", aBlock("accepted", { confirmations: 50 })); // To be read; no event.
    await client.call("recordBlock", aBlock("confirmed", { confirmations: 100 }));
    await until("the block is heard", 1_000, () => heard.includes("confirmed"));
    expect(heard).toEqual(["share 1", "share 2", "share 3", "accepted", "confirmed"]);
  });
});

function aBlock(status: BlockStatus, more: object = {}) {
  const hash = "ab".repeat(32);
  const { worker, at: foundAt } = aShare(0);
  return { hash, height: 100, worker, status, confirmations: 1, foundAt, ...more };
}

describe("blocks and rounds", () => {
  test("the first acceptance closes the round; everything recorded before is in it and nothing after", async () => {
    const client = await startReporter();
    await record(client, aShare(1, { worker: "alice", difficulty: 1 }), aShare(2, { worker: "bob", difficulty: 3 }));
    expect(await client.call("recordBlock", aBlock("accepted"))).toEqual({ round: 1 });
    await record(client, aShare(3, { worker: "alice", difficulty: 8 }));
    const { rounds } = await client.call("rounds", { limit: 10 });
    expect(rounds).toMatchObject([
      { round: 2, shares: 1, difficultySum: 8, workers: [{ worker: "alice", difficulty: 8 }] },
      {
        round: 1,
        shares: 2,
        difficultySum: 4,
        height: 100,
        block: "ab".repeat(32),
        workers: [
          { worker: "bob", difficulty: 3 },
          { worker: "alice", difficulty: 1 },
        ],
      },
    ]);
    expect(rounds[0]?.closedAt).toBeUndefined();
    expect(rounds[1]?.closedAt).toBe(rounds[0]?.openedAt);
    expect(await client.call("pool", {})).toMatchObject({ blocks: 1, round: 2 });
  });

  test("a block's own share belongs to the round that it ended, also when the block's report came first", async () => {
    const client = await startReporter();
    const found = aShare("found", { worker: "alice", difficulty: 4, block: true });
    const hash = Buffer.from(found.identity).reverse().toString("hex");
    expect(await client.call("recordBlock", { ...aBlock("accepted"), hash })).toEqual({ round: 1 });
    await record(client, found, aShare("next", { worker: "bob", difficulty: 2 }));
    expect((await client.call("rounds", { limit: 10 })).rounds).toMatchObject([
      { round: 2, shares: 1, difficultySum: 2, workers: [{ worker: "bob", difficulty: 2 }] },
      { round: 1, shares: 1, difficultySum: 4, workers: [{ worker: "alice", difficulty: 4 }] },
    ]);
    expect(await client.call("pool", {})).toMatchObject({ accepted: 2, blocks: 1 });
  });

  test("acceptance told many times by two reporters at once closes one round", async () => {
    const clients = [await startReporter(), await startReporter()];
    await Promise.all(clients.map((client, i) => record(client, aShare(i, { line: i }))));
    const replies = await Promise.all(
      Array.from({ length: 20 }, (_, i) => (clients[i % 2] ?? clients[0])?.call("recordBlock", aBlock("accepted"))),
    );
    expect(new Set(replies.map((reply) => reply?.round))).toEqual(new Set([1]));
    expect(await clients[0]?.call("pool", {})).toMatchObject({ blocks: 1, round: 2 });
  });

  test("later statuses update the block, and old news do not", async () => {
    const client = await startReporter();
    const status = async () => (await client.call("blocks", { limit: 1 })).blocks[0];
    await client.call("recordBlock", aBlock("accepted"));
    await client.call("recordBlock", aBlock("rejected", { reason: "late" }));
    expect(await status()).toMatchObject({ status: "accepted", round: 1 });
    await client.call("recordBlock", aBlock("accepted", { confirmations: 6 }));
    await client.call("recordBlock", aBlock("accepted", { confirmations: 5 }));
    expect(await status()).toMatchObject({ status: "accepted", confirmations: 6 });
    await client.call("recordBlock", aBlock("orphaned", { confirmations: 0, reason: "another block won" }));
    await client.call("recordBlock", aBlock("accepted", { confirmations: 6 }));
    expect(await status()).toMatchObject({ status: "orphaned", reason: "another block won", round: 1 });
    await client.call("recordBlock", aBlock("accepted", { confirmations: 7 }));
    expect((await status())?.status).toBe("accepted");
    await client.call("recordBlock", aBlock("confirmed", { confirmations: 100 }));
    await client.call("recordBlock", aBlock("accepted", { confirmations: 99 }));
    expect(await status()).toMatchObject({ status: "confirmed", confirmations: 100 });
    expect((await status())?.reason).toBeUndefined();
    expect(await client.call("pool", {})).toMatchObject({ blocks: 1, round: 2 });
  });

  test("a block that no daemon could take yet closes nothing; once it is accepted, `pending` is old news", async () => {
    const client = await startReporter();
    const pending = aBlock("pending", { confirmations: 0, reason: "no daemon could take it yet" });
    expect(await client.call("recordBlock", pending)).toEqual({});
    expect((await client.call("blocks", { limit: 1 })).blocks).toMatchObject([{ status: "pending" }]);
    expect(await client.call("recordBlock", aBlock("accepted"))).toEqual({ round: 1 });
    await client.call("recordBlock", pending);
    expect((await client.call("blocks", { limit: 1 })).blocks).toMatchObject([{ status: "accepted", round: 1 }]);
  });

  test("the shares of a round whose block was orphaned are paid in the next round whose block stands in the chain", async () => {
    const client = await startReporter();
    const block = (height: number, status: BlockStatus) =>
      client.call("recordBlock", { ...aBlock(status, { height }), hash: height.toString(16).padStart(64, "0") });
    for (const height of [1, 2, 3, 4]) await block(height, "accepted");
    for (const height of [2, 3]) await block(height, "orphaned");
    const rounds = async () =>
      (await client.call("rounds", { limit: 10 })).rounds.map(({ round, status, paidIn }) => [round, status, paidIn]);
    expect(await rounds()).toEqual([
      [5, undefined, undefined],
      [4, "accepted", undefined],
      [3, "orphaned", 4],
      [2, "orphaned", 4],
      [1, "accepted", undefined],
    ]);
    await block(4, "orphaned");
    expect((await rounds())[1]).toEqual([4, "orphaned", undefined]); // The open round will tell.
  });

  test("a block of a lost chain closes no round when a daemon knows it, and does when another block stands on it", async () => {
    const client = await startReporter();
    await record(client, aShare(1));
    const report = (status: BlockStatus, confirmations: number) =>
      client.call("recordBlock", aBlock(status, { confirmations }));
    expect(await report("orphaned", 0)).toEqual({});
    expect(await report("accepted", 1)).toEqual({});
    expect((await client.call("blocks", { limit: 5 })).blocks).toMatchObject([{ status: "orphaned" }]);
    expect(await report("accepted", 2)).toEqual({ round: 1 });
  });

  test("a rejected block is listed and closes nothing", async () => {
    const client = await startReporter();
    expect(await client.call("recordBlock", aBlock("rejected", { reason: "bad-txns", confirmations: 0 }))).toEqual({});
    expect((await client.call("blocks", { limit: 5 })).blocks).toMatchObject([
      { status: "rejected", reason: "bad-txns" },
    ]);
    expect(await client.call("pool", {})).toMatchObject({ blocks: 0, round: 1 });
  });
});
