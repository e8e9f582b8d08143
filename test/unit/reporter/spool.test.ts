// The spool against a real Redis that goes away and a real disk: what was answered `true` is in the log once.

import { appendFile, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "@jest/globals";
import { type ReporterContract, reporter, type Share } from "../../../lib/contracts/index.js";
import type { Client, OpenedHouse, Running } from "../../../lib/wiring/index.js";
import { open } from "../../../services/reporter/main.js";
import { metricTable } from "../../../services/reporter/metrics.js";
import { settings } from "../../../services/reporter/settings.js";
import { atEnd } from "../../kit/cleanup.js";
import { openTestHouse } from "../../kit/house.js";
import { type RedisServer, startRedis } from "../../kit/redis.js";
import { until } from "../../kit/until.js";
import { aShare, HASHES_PER_DIFFICULTY } from "./shares.js";

let redis: RedisServer;
let directory: string;

beforeEach(async () => {
  redis = await startRedis({ args: ["--appendonly", "yes", "--appendfsync", "always"] });
  directory = await mkdtemp(join(tmpdir(), "headframe-spool-"));
  atEnd(() => rm(directory, { recursive: true, force: true }));
});

interface Started {
  readonly client: Client<ReporterContract>;
  readonly running: Running;
  readonly house: OpenedHouse;
}

/** A house with its own reporter, called directly. */
async function start(spool: object = {}, more: object = {}): Promise<Started> {
  const house = await openTestHouse(redis, { tables: [metricTable] });
  const plain = { ...more, spool: { directory, patienceMs: 300, ...spool } };
  const running = await open(house, settings.parse(plain));
  atEnd(() => running.close());
  const client = house.nexus.client(reporter);
  await client.ready(5_000);
  return { client, running, house };
}

async function record({ client }: Started, ...shares: Share[]): Promise<string> {
  const { outcomes } = await client.call("recordShares", { shares, hashesPerDifficulty: HASHES_PER_DIFFICULTY });
  return outcomes.join(" ");
}

const status = ({ client }: Started) => client.call("status", {});
const flushed = (it: Started) =>
  until("the spool is flushed", 10_000, async () => {
    const { recording, spool } = await status(it);
    return recording === "redis" && spool?.length === 0;
  });

/** Lines in the order of the log. */
async function logged(): Promise<number[]> {
  const client = await redis.asking();
  const lines: number[] = [];
  for (let from = "-"; ; ) {
    const entries = await client.xrange("hf:{test}:shares", from, "+", "COUNT", 5_000); // All at once may take too long.
    for (const [, fields] of entries) lines.push(Number(fields[fields.indexOf("line") + 1]));
    const last = entries.at(-1);
    if (!last) return lines;
    from = `(${last[0]}`;
  }
}

const files = async () => (await readdir(directory)).filter((name) => name.endsWith(".spool"));
const line = (number: number) => aShare(number, { line: number });

describe("while Redis is away", () => {
  test("S1: shares are answered from the disk and stand in the log once, in order, when Redis is back", async () => {
    const it = await start();
    expect(await record(it, line(1))).toBe("recorded");
    await redis.stop();
    expect(await record(it, line(2), line(3))).toBe("recorded recorded");
    expect(await record(it, line(4))).toBe("recorded");
    expect(await status(it)).toMatchObject({ recording: "spool", spool: { length: 3 } });
    expect(await files()).toHaveLength(1);
    await redis.start();
    await flushed(it);
    expect(await record(it, line(5))).toBe("recorded");
    expect(await logged()).toEqual([1, 2, 3, 4, 5]);
    expect(await files()).toEqual([]);
    expect((await status(it)).trouble).toBeUndefined();
  });

  test("S2: a duplicate in the spool is a duplicate, and the same line again is redelivered", async () => {
    const it = await start();
    await redis.stop();
    expect(await record(it, line(1), line(1), aShare(1, { line: 9 }))).toBe("recorded redelivered duplicate");
    expect(await record(it, line(1))).toBe("redelivered");
    expect(await record(it, aShare(1, { connection: "c2" }), line(2))).toBe("duplicate recorded");
    await redis.start();
    await flushed(it);
    expect(await record(it, line(1), aShare(1, { line: 9 }))).toBe("redelivered duplicate");
    expect(await logged()).toEqual([1, 2]);
  });

  test("S1: the same share through two reporters is in the log once, and the late duplicate is counted", async () => {
    const [one, two] = [await start(), await start()];
    await redis.stop();
    expect(await record(one, line(1))).toBe("recorded");
    expect(await record(two, aShare(1, { line: 2 }), line(3))).toBe("recorded recorded");
    await redis.start();
    await Promise.all([flushed(one), flushed(two)]);
    expect(await logged()).toHaveLength(2);
    const late = [one, two].map(({ house }) => house.metrics.counters()["reporter.spool.late_duplicates"] ?? 0);
    expect(late.reduce((a, b) => a + b)).toBe(1);
  });

  test("a block found meanwhile ends its round where it was found", async () => {
    const it = await start();
    await record(it, line(1));
    await redis.stop();
    await record(it, line(2));
    const { worker, at: foundAt } = aShare(0);
    const block = {
      hash: "ab".repeat(32),
      height: 100,
      worker,
      status: "accepted",
      confirmations: 1,
      foundAt,
    } as const;
    expect(await it.client.call("recordBlock", block)).toEqual({});
    await record(it, line(3));
    await redis.start();
    await flushed(it);
    const { rounds } = await it.client.call("rounds", { limit: 5 });
    expect(rounds).toMatchObject([
      { round: 2, shares: 1 },
      { round: 1, shares: 2, block: block.hash },
    ]);
  });

  test("a Redis that stands still counts as away after patienceMs, and what it did meanwhile counts once", async () => {
    const it = await start();
    await record(it, line(1));
    redis.freeze();
    const begun = performance.now();
    expect(await record(it, line(2))).toBe("recorded");
    expect(performance.now() - begun).toBeLessThan(1_500);
    expect(await record(it, line(3))).toBe("recorded");
    redis.thaw();
    await flushed(it);
    expect(await logged()).toEqual([1, 2, 3]);
  });

  test("under load the spool is emptied and Redis used again, and nothing is lost or counted twice on the way", async () => {
    const it = await start();
    let next = 1;
    let stop = false;
    const answered: number[] = [];
    const load = Array.from({ length: 8 }, async () => {
      while (!stop) {
        const lines = Array.from({ length: 20 }, () => next++);
        const outcomes = await record(it, ...lines.map(line));
        expect(new Set(outcomes.split(" "))).toEqual(new Set(["recorded"]));
        answered.push(...lines);
      }
    });
    for (let outage = 0; outage < 3; outage++) {
      const before = answered.length;
      await redis.stop();
      await until("the load goes on without Redis", 20_000, () => answered.length > before + 500);
      await redis.start();
      await until("Redis is used again", 10_000, async () => (await status(it)).recording === "redis");
    }
    stop = true;
    await Promise.all(load);
    await flushed(it);
    expect((await logged()).sort((a, b) => a - b)).toEqual(answered.sort((a, b) => a - b));
  }, 120_000);
});

describe("a reporter that ends", () => {
  test("leaves its spool to the next one, which flushes it before anything new", async () => {
    const one = await start();
    await redis.stop();
    await record(one, line(1), line(2));
    await one.running.close();
    expect((await files())[0]).toMatch(/^test\.[0-9a-f]{16}\.free\.spool$/);
    await redis.start();
    const two = await start();
    expect(await record(two, line(3))).toBe("recorded");
    await flushed(two);
    expect(await logged()).toEqual([1, 2, 3]);
  });

  test("S1: killed while Redis was away, with its last write torn, loses nothing that was answered", async () => {
    const one = await start();
    await redis.stop();
    await record(one, line(1));
    await record(one, line(2));
    const [name = ""] = await files();
    const copy = await readFile(join(directory, name)); // As kill -9 leaves it.
    await one.running.close();
    await rm(directory, { recursive: true });
    await mkdir(directory);
    const orphan = name.replace(/\.\d+-/, ".4194999-"); // No such process.
    await writeFile(join(directory, orphan), copy);
    await appendFile(join(directory, orphan), copy.subarray(20, 90)); // A torn write.
    await redis.start();
    const two = await start();
    await flushed(two);
    expect(await logged()).toEqual([1, 2]);
    expect(await files()).toEqual([]);
  });

  test("its spool is taken over by a live one, too, within seconds", async () => {
    const one = await start();
    await redis.stop();
    await record(one, line(1), line(2));
    const [name = ""] = await files();
    const copy = await readFile(join(directory, name)); // As kill -9 leaves it.
    await redis.start();
    await flushed(one);
    await (await redis.asking()).flushall();
    await writeFile(join(directory, name.replace(/\.\d+-/, ".4194999-")), copy);
    await until("its shares are in the log", 10_000, async () => (await logged()).length === 2);
    await until("it is gone", 2_000, async () => (await files()).length === 0);
  });

  test("an orphan that was flushed in part before, long ago, adds only the other part", async () => {
    const one = await start();
    await redis.stop();
    await record(one, line(1));
    await record(one, line(2));
    const [name = ""] = await files();
    const whole = await readFile(join(directory, name));
    await redis.start();
    await flushed(one);
    await (await redis.asking()).del("hf:{test}:share:seen:100"); // Its identities are forgotten by now.
    await writeFile(join(directory, name.replace(/\.\d+-/, ".4194999-")), whole);
    const two = await start();
    await flushed(two);
    expect(await logged()).toEqual([1, 2]);
  });

  test("a live reporter's spool is left alone by others; were it taken all the same, nothing is lost", async () => {
    const one = await start();
    await redis.stop();
    await record(one, line(1));
    const [name = ""] = await files();
    await rename(join(directory, name), join(directory, name.replace(/\.\d+-/, ".4194999-"))); // Somebody takes it.
    expect(await record(one, line(2))).toBe("recorded");
    expect(await files()).toHaveLength(2);
    await redis.start();
    const two = await start();
    await Promise.all([flushed(one), flushed(two)]);
    expect((await logged()).sort()).toEqual([1, 2]);
  });
});

describe("a Redis that comes back otherwise than it went", () => {
  test("S1: without its last moments, it is given them again", async () => {
    const it = await start();
    await record(it, line(1));
    await record(it, line(2));
    await record(it, line(3));
    await redis.stop();
    await redis.forget();
    await redis.start(); // As one whose disk had not been written for a second.
    await until("they are back", 5_000, async () => (await logged()).length === 3);
    expect(await logged()).toEqual([1, 2, 3]);
    expect(it.house.metrics.counters()["reporter.restored"]).toBe(3);
    expect(await record(it, line(2), aShare(3, { line: 9 }))).toBe("redelivered duplicate");
  });

  test("an outage in which nothing happens is told of once", async () => {
    const it = await start();
    await redis.stop();
    await until("it is noticed", 2_000, async () => (await status(it)).recording === "spool");
    await new Promise((resolve) => setTimeout(resolve, 1_500)); // Several attempts to connect.
    expect((await status(it)).recording).toBe("spool");
    await redis.start();
    await flushed(it);
    expect(it.house.metrics.counters()["reporter.outages"]).toBe(1);
    expect(await record(it, line(1))).toBe("recorded");
  });

  test("S2: a duplicate of a share that was recorded just before the outage is a duplicate during it", async () => {
    const it = await start();
    await record(it, line(1));
    await redis.stop();
    expect(await record(it, aShare(1, { line: 2 }), line(1))).toBe("duplicate recorded");
    await redis.start();
    await flushed(it);
    expect(await logged()).toEqual([1]);
  });

  test("S1: one that is full counts as away, is told of once, and gets the shares when it has room", async () => {
    const it = await start();
    await record(it, line(1));
    const admin = await redis.asking();
    await admin.config("SET", "maxmemory-policy", "noeviction");
    await admin.config("SET", "maxmemory", "1");
    expect(await record(it, line(2))).toBe("recorded");
    expect(await record(it, line(3))).toBe("recorded");
    const { recording, trouble } = await status(it);
    expect(recording).toBe("spool");
    expect(trouble).toMatch(/OOM/);
    await admin.config("SET", "maxmemory", "0");
    await flushed(it);
    expect(await logged()).toEqual([1, 2, 3]);
    expect(it.house.metrics.counters()["reporter.outages"]).toBe(1);
  });

  test.each([
    ["the log", "hf:{test}:shares"],
    ["the totals", "hf:{test}:share:totals"],
    ["the identities", "hf:{test}:share:seen:100"],
    ["a worker", "hf:{test}:share:worker:alice.rig1"],
    ["the open round", "hf:{test}:share:round:1"],
    ["the round's workers", "hf:{test}:share:round:1:workers"],
  ])(
    "S1: with something else at the key of %s, nothing is half recorded, and the error names the key",
    async (_, key) => {
      const it = await start();
      await record(it, line(1));
      const admin = await redis.asking();
      await admin.rename(key, "kept");
      await admin.set(key, "somebody else's");
      expect(await record(it, line(2))).toBe("recorded");
      const { trouble } = await status(it);
      expect(trouble).toContain(key);
      expect(trouble).toMatch(/Rename or delete/);
      await admin.rename("kept", key);
      await flushed(it);
      expect(await logged()).toEqual([1, 2]);
      expect(await it.client.call("pool", {})).toMatchObject({ accepted: 2, recorded: 2 });
    },
  );

  test("without a spool, something else at a key fails the call, and the share is not lied about", async () => {
    const it = await start({ bytesMax: 0 });
    await redis.client().set("hf:{test}:shares", "somebody else's");
    await expect(record(it, line(1))).rejects.toThrow(/hf:\{test\}:shares is a string and must be a stream/);
    await redis.client().del("hf:{test}:shares");
    expect(await record(it, line(1))).toBe("recorded");
    await redis
      .client()
      .set("hf:{test}:share:totals", "x")
      .catch(() => {});
    await expect(it.client.call("pool", {})).rejects.toThrow(/hf:\{test\}:share:totals is of the wrong type/);
  });
});

describe("known", () => {
  test("a line's own share is known from Redis and from the spool, nobody else's is", async () => {
    const it = await start();
    await record(it, line(1));
    const claims = [line(1), aShare(1, { line: 2 }), line(3), line(4)];
    expect(await it.client.call("known", { claims })).toEqual({ known: [true, false, false, false] });
    await redis.stop();
    await record(it, line(3));
    expect(await it.client.call("known", { claims: [line(3)] })).toEqual({ known: [true] });
    const unsure = it.client.call("known", { claims: [line(4)] }, { timeoutMs: 300 });
    await expect(unsure).rejects.toMatchObject({ code: "UNAVAILABLE" });
  });
});

describe("bounds", () => {
  test("a full spool leaves shares unanswered as UNAVAILABLE, and takes them again when there is room", async () => {
    const it = await start({ bytesMax: 2_000 });
    await redis.stop();
    let taken = 0;
    const fill = async () => {
      for (;;) {
        await it.client.call("recordShares", { shares: [line(taken + 1)], hashesPerDifficulty: 1 }, { timeoutMs: 300 });
        taken += 1;
      }
    };
    await expect(fill()).rejects.toMatchObject({ code: "UNAVAILABLE", retryable: true });
    expect(taken).toBeGreaterThan(3);
    expect((await status(it)).spool?.bytes).toBeLessThan(2_400);
    await redis.start();
    await flushed(it);
    expect(await record(it, line(taken + 1))).toBe("recorded");
    expect(await logged()).toHaveLength(taken + 1);
  });

  test("a disk that takes nothing leaves shares unanswered as UNAVAILABLE, and takes them again when it does", async () => {
    const it = await start();
    await redis.stop();
    expect(await record(it, line(1))).toBe("recorded");
    await rename(directory, `${directory}.away`);
    const call = it.client.call("recordShares", { shares: [line(2)], hashesPerDifficulty: 1 }, { timeoutMs: 300 });
    await expect(call).rejects.toMatchObject({ code: "UNAVAILABLE" });
    await rename(`${directory}.away`, directory);
    expect(await record(it, line(2))).toBe("recorded");
    await redis.start();
    await flushed(it);
    expect(await logged()).toEqual([1, 2]);
  });

  test("a folder that is no folder is refused at the start, in words", async () => {
    await writeFile(join(directory, "file"), "");
    await expect(start({ directory: join(directory, "file", "spool") })).rejects.toThrow(/reporter\.spool\.directory/);
  });
});
