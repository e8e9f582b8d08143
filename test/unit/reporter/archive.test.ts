// Records leave the log only when the archive has them, in order, each of them.

import { chmod, type FileHandle, mkdtemp, open, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, describe, expect, jest, test } from "@jest/globals";
import { execa } from "execa";
import { openMetrics, quiet } from "../../../lib/wiring/index.js";
import { metricTable } from "../../../services/reporter/metrics.js";
import { Archiver } from "../../../services/reporter/out-archive.js";
import { ShareStore } from "../../../services/reporter/out-redis.js";
import { releaseLease, takeLease } from "../../../services/reporter/scripts/lease.js";
import { settings } from "../../../services/reporter/settings.js";
import { atEnd } from "../../kit/cleanup.js";
import { type RedisServer, startRedis } from "../../kit/redis.js";
import { until } from "../../kit/until.js";
import { aShare } from "./shares.js";

let redis: RedisServer;
let directory: string;

beforeEach(async () => {
  redis = await startRedis();
  directory = await mkdtemp(join(tmpdir(), "headframe-test-"));
  atEnd(() => rm(directory, { recursive: true, force: true }));
});

const FAST = { logLength: 1_000, archiveEveryMs: 50, archiveChunk: 300 };

async function setup(plain: object) {
  const parsed = settings.parse({ ...FAST, ...plain });
  const client = await redis.asking();
  const metrics = openMetrics({ tables: [metricTable], strict: true });
  atEnd(() => metrics.close());
  const store = new ShareStore(client, "test", parsed);
  const archiver = Archiver.open({
    redis: client,
    cluster: "test",
    settings: parsed,
    log: quiet,
    metrics,
    holder: `h${Math.random()}`,
  });
  atEnd(() => archiver.close());
  return {
    metrics,
    record: (from: number, to: number) =>
      store.record(
        Array.from({ length: to - from }, (_, i) => ({ share: aShare(from + i, { line: from + i }), hashes: 1 })),
      ),
    length: () => client.xlen("hf:{test}:shares"),
  };
}

async function archived(place: string): Promise<{ line: number; id: string; block: boolean }[]> {
  const names = (await readdir(place)).filter((name) => name.endsWith(".ndjson")).sort();
  const texts = await Promise.all(names.map((name) => readFile(join(place, name), "utf8")));
  return texts.flatMap((text) => text.split("\n").filter(Boolean)).map((line) => JSON.parse(line));
}

const lines = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);

describe("archive", () => {
  test("what is over the log's length goes to the directory in order, and then leaves the log", async () => {
    const { record, length, metrics } = await setup({ archive: { directory: join(directory, "made") } });
    await record(0, 1_000);
    await record(1_000, 1_750);
    await until("the log has its length", 5_000, async () => (await length()) === 1_000);
    const records = await archived(join(directory, "made"));
    expect(records.map(({ line }) => line).sort((a, b) => a - b)).toEqual(lines(0, 750));
    expect(records[0]).toMatchObject({ worker: "alice.rig1", difficulty: 2, height: 100, block: false });
    expect(metrics.counters()["reporter.archive.records"]).toBe(750);
  });

  test("several archivers hand each record over once", async () => {
    const { record, length } = await setup({ archive: { directory } });
    await setup({ archive: { directory } });
    await setup({ archive: { directory } });
    await record(0, 2_000);
    await until("the log has its length", 5_000, async () => (await length()) === 1_000);
    const seen = (await archived(directory)).map(({ line }) => line);
    expect(seen.sort((a, b) => a - b)).toEqual(lines(0, 1_000));
  });

  test("a lease that ran out and is another's by now is neither renewed nor ended by the one that had it", async () => {
    const [client, keys] = [await redis.asking(), ["lease"]];
    expect(await takeLease.run(client, keys, ["one", 60_000])).toBe(1);
    expect(await takeLease.run(client, keys, ["two", 60_000])).toBe(0);
    expect(await takeLease.run(client, keys, ["one", 90_000])).toBe(1);
    expect(await client.pttl("lease")).toBeGreaterThan(60_000);
    await client.del("lease"); // It ran out.
    expect(await takeLease.run(client, keys, ["two", 60_000])).toBe(1);
    expect(await releaseLease.run(client, keys, ["one"])).toBe(0);
    expect(await client.get("lease")).toBe("two");
    expect(await releaseLease.run(client, keys, ["two"])).toBe(1);
  });

  test("records leave the log only after the archive's folder was synced with the file's name in it", async () => {
    const probe = await open(directory, "r");
    const prototype: FileHandle = Object.getPrototypeOf(probe);
    await probe.close();
    const { sync } = prototype;
    const folders: string[][] = [];
    const spy = jest.spyOn(prototype, "sync").mockImplementation(async function (this: FileHandle) {
      if ((await this.stat()).isDirectory()) folders.push(await readdir(directory));
      await sync.call(this);
    });
    const { record, length } = await setup({ archive: { directory } });
    await record(0, 1_100);
    await until("the log has its length", 5_000, async () => (await length()) === 1_000);
    spy.mockRestore();
    expect(folders).toEqual([[expect.stringMatching(/^shares-.*\.ndjson$/)]]);
  });

  test("a command that fails is tried again; nothing is trimmed before it succeeds, and it is counted", async () => {
    const program = join(directory, "take");
    const script = `#!/bin/sh\n[ -e "${directory}/open" ] || { echo "the archive is closed" >&2; exit 3; }\ncp "$2" "${directory}"\n`;
    await writeFile(program, script);
    await chmod(program, 0o755);
    const { record, length, metrics } = await setup({ archive: { command: [program, "--file"] } });
    await record(0, 1_200);
    await until("it was tried twice", 5_000, () => (metrics.counters()["reporter.archive.failures"] ?? 0) >= 2);
    expect(await length()).toBe(1_200);
    await writeFile(join(directory, "open"), "");
    await until("the log has its length", 5_000, async () => (await length()) === 1_000);
    expect((await archived(directory)).map(({ line }) => line)).toEqual(lines(0, 200));
  });

  test("a log whose archive never works stops growing at its limit", async () => {
    const { record, length } = await setup({ logLengthMax: 1_500, archive: { command: ["/no/such/program"] } });
    for (let i = 0; i < 4; i++) await record(i * 1_000, (i + 1) * 1_000);
    expect(await length()).toBeGreaterThanOrEqual(1_500);
    expect(await length()).toBeLessThan(1_500 + 200); // Redis trims whole nodes of about a hundred.
  });

  test("a command that cannot be started holds the process no longer", async () => {
    const module = new URL("../../../services/reporter/out-archive.js", import.meta.url).href;
    const program = `const { runCommand } = await import(${JSON.stringify(module)});
      await runCommand(["/no/such/program"], "x", 60_000).catch((error) => console.log(error.message));`;
    const { stdout, timedOut } = await execa(process.execPath, ["--input-type=module", "-e", program], {
      timeout: 20_000,
      reject: false,
    });
    expect({ stdout, timedOut }).toEqual({ stdout: expect.stringContaining("could not be started"), timedOut: false });
  });
});
