// Spools that the disk, another release or another process has its hand in: what was promised is recorded or kept, never deleted.

import { type FileHandle, mkdtemp, open, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, expect, jest, test } from "@jest/globals";
import { pino } from "pino";
import { openMetrics } from "../../../lib/wiring/index.js";
import { metricTable } from "../../../services/reporter/metrics.js";
import { ShareStore } from "../../../services/reporter/out-redis.js";
import { Spool } from "../../../services/reporter/out-spool.js";
import { settings } from "../../../services/reporter/settings.js";
import { frame } from "../../../services/reporter/spool/frames.js";
import { packHeading, VERSIONS } from "../../../services/reporter/spool/record.js";
import { atEnd } from "../../kit/cleanup.js";
import { startRedis } from "../../kit/redis.js";
import { aShare } from "./shares.js";

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "headframe-damage-"));
  atEnd(() => rm(directory, { recursive: true, force: true }));
});

async function openSpool(bytesMax = 1e9) {
  const said: string[] = [];
  const log = pino({ level: "warn" }, { write: (line: string) => void said.push(line) });
  const metrics = openMetrics({ tables: [metricTable], strict: true });
  const spool = await Spool.open({ directory, bytesMax, cluster: "test", log, metrics, onAdopted: () => {} });
  if (!spool) throw new Error("there is a folder, so there is a spool");
  atEnd(() => spool.close());
  return { spool, said, metrics };
}

const append = (spool: Spool, ...lines: number[]) =>
  spool.append({ kind: "shares", shares: lines.map((line) => ({ share: aShare(line, { line }), hashes: 1 })) });

async function readAll(spool: Spool): Promise<number[]> {
  const lines: number[] = [];
  for (let chunk = await spool.next(2); chunk; chunk = await spool.next(2)) {
    if (chunk.kind === "shares") lines.push(...chunk.shares.map(({ share }) => Number(share.line)));
    await spool.done(chunk);
  }
  return lines;
}

/** A spool of five records that its reporter left. */
async function leftSpool(): Promise<{ path: string; bytes: Buffer; offsets: number[] }> {
  const { spool } = await openSpool();
  for (let line = 1; line <= 5; line++) await append(spool, line);
  await spool.close();
  const [name = ""] = await readdir(directory);
  const bytes = await readFile(join(directory, name));
  const offsets = [];
  for (let at = 0; at < bytes.length; at += 12 + bytes.readUInt32BE(at)) offsets.push(at);
  return { path: join(directory, name), bytes, offsets };
}

test.each([
  ["its content", 2, 20],
  ["the low byte of its length", 2, 3],
  ["the high byte of its length", 2, 1],
  ["its checksum", 2, 5],
  ["the heading", 0, 1],
])(
  "S1: a bit that flips in %s costs no other record, and the damaged bytes are kept and told of",
  async (_, nth, at) => {
    const { path, bytes, offsets } = await leftSpool();
    const place = (offsets[nth] ?? 0) + at;
    bytes[place] = (bytes[place] ?? 0) ^ 1;
    await writeFile(path, bytes);
    const { spool, said, metrics } = await openSpool();
    const others = nth === 0 ? [1, 2, 3, 4, 5] : [1, 3, 4, 5];
    expect(await readAll(spool)).toEqual(others);
    const [kept = "", ...more] = await readdir(directory);
    expect(kept).toMatch(/^test\.[0-9a-f]{16}\.damaged$/);
    expect(more).toEqual([]);
    expect(await readFile(join(directory, kept))).toEqual(bytes.subarray(offsets[nth], offsets[nth + 1]));
    expect(said.join()).toContain(kept);
    expect(metrics.counters()["reporter.spool.unreadable"]).toBe(1);
  },
);

test("S1: a last record whose length was damaged looks like a write cut short, and is kept all the same", async () => {
  const { path, bytes, offsets } = await leftSpool();
  bytes[(offsets[5] ?? 0) + 1] = 1;
  await writeFile(path, bytes);
  const { spool } = await openSpool();
  expect(await readAll(spool)).toEqual([1, 2, 3, 4]);
  const [kept = ""] = await readdir(directory);
  expect(kept).toMatch(/\.torn$/);
  expect(await readFile(join(directory, kept))).toEqual(bytes.subarray(offsets[5]));
});

test("S1: a spool of a newer release is left under its name, and told of once, until a release comes that reads it", async () => {
  const name = "test.0123456789abcdef.free.spool";
  const next = { ...VERSIONS, written: VERSIONS.readLast + 1 };
  const bytes = frame(packHeading({ id: "0123456789abcdef", cluster: "test", openedAt: 1 }, next));
  await writeFile(join(directory, name), bytes);
  const { spool, said } = await openSpool();
  expect(spool.length).toBe(0);
  await spool.close();
  expect(await readdir(directory)).toEqual([name]);
  expect(await readFile(join(directory, name))).toEqual(bytes);
  expect(said).toHaveLength(1);
  expect(said[0]).toMatch(/of version 2/);
});

test("of two spools that were left, the older one is recorded first", async () => {
  for (const [line, openedAt, id] of [
    [2, 2_000, "a"],
    [1, 1_000, "b"],
  ] as const) {
    const { spool } = await openSpool();
    await append(spool, line);
    const own = (await readdir(directory)).find((name) => name.endsWith(".spool"));
    const bytes = await readFile(join(directory, own ?? ""));
    const rest = bytes.subarray(12 + bytes.readUInt32BE(0));
    await readAll(spool);
    await spool.close();
    const heading = frame(packHeading({ id: id.repeat(16), cluster: "test", openedAt }));
    await writeFile(join(directory, `kept-${id}`), Buffer.concat([heading, rest]));
  }
  for (const id of ["a", "b"]) {
    await writeFile(join(directory, `test.${id.repeat(16)}.free.spool`), await readFile(join(directory, `kept-${id}`)));
  }
  const { spool } = await openSpool();
  expect(await readAll(spool)).toEqual([1, 2]);
});

test("a chunk that was given again since drops nothing when it is done with late", async () => {
  const { spool } = await openSpool();
  await append(spool, 1);
  await append(spool, 2);
  const first = await spool.next(1);
  await spool.next(1);
  if (first) await spool.done(first);
  expect(spool.length).toBe(2);
});

test("a spool that holds its bytes exactly is full", async () => {
  const { spool } = await openSpool();
  await append(spool, 1);
  const { bytes } = spool;
  await readAll(spool);
  await spool.close();
  const bounded = await openSpool(bytes);
  await append(bounded.spool, 1);
  expect(bounded.spool.bytes).toBe(bytes);
  await expect(append(bounded.spool, 2)).rejects.toThrow(/reporter\.spool\.bytesMax/);
});

test("S1: a record counts as kept only after the disk has it", async () => {
  const handle = await open(join(directory, "probe"), "w");
  const prototype: FileHandle = Object.getPrototypeOf(handle);
  await handle.close();
  const { spool } = await openSpool();
  const events: string[] = [];
  const { datasync } = prototype;
  const spy = jest.spyOn(prototype, "datasync").mockImplementation(async function (this: FileHandle) {
    await datasync.call(this);
    events.push("synced");
  });
  await append(spool, 1);
  events.push("kept");
  spy.mockRestore();
  expect(events).toEqual(["synced", "kept"]);
});

test("how far a spool was recorded never goes back: an older chunk that comes late changes nothing", async () => {
  const redis = await startRedis();
  const store = new ShareStore(await redis.asking(), "test", settings.parse({}));
  const record = (line: number, number: number) =>
    store.record([{ share: aShare(line, { line }), hashes: 1 }], undefined, { spool: "a", numbers: [number] });
  expect(await record(5, 500)).toEqual(["recorded"]);
  expect(await record(3, 300)).toEqual(["redelivered"]);
  expect(await record(4, 400)).toEqual(["redelivered"]);
});
