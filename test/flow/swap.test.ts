// Swaps and drains of a pool under load, by the command line: nobody is disconnected, no line is lost, a bad version is taken back.
//
// One pool serves the whole file, because a start costs more than most of these tests; the last one leaves it with fewer processes.

import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeAll, expect, test } from "@jest/globals";
import type { SwapReport } from "../../bin/manage/swap.js";
import { callCircus } from "../../circus/index.js";
import { Registry } from "../../lib/wiring/index.js";
import { atEnd } from "../kit/cleanup.js";
import { headframe } from "../kit/command.js";
import { Crowd, tooLong, type Waits } from "../kit/crowd.js";
import { easyShares, startEasyPool } from "../kit/easy-chain.js";
import { allServe, standsBy, type Victim } from "../kit/killing.js";
import type { TestPool } from "../kit/pool.js";
import { expectAllOnce } from "../kit/share-log.js";
import { until } from "../kit/until.js";

const TEST_MS = 120_000;
const MINERS = 6;
/** C1 */
const PATIENCE_MS = 1_000;
/** C2 */
const EDGE_PATIENCE_MS = 2_000;
const CERTIFIED_MS = 500;
/** A machine that stands still for a moment is no late certificate. */
const ATTEMPTS = 3;
/** Less than the least that is left of a heartbeat's life. */
const EXPIRES_MS = 3_500;
/** Of a process that will never be ready; the pool's own limit is longer than a test should take. */
const NOT_READY_SECONDS = 2;
const ROOT = fileURLToPath(new URL("../../..", import.meta.url));

let pool: TestPool;
let registry: Registry;
beforeAll(async () => {
  pool = await startEasyPool(easyShares(), "file");
  registry = Registry.open({ redis: pool.house.redis.discovery, cluster: pool.house.cluster });
  atEnd(() => registry.close(), "file");
}, TEST_MS);

async function swap(service: string, ...more: string[]) {
  const { exitCode, stdout, stderr } = await headframe("swap", service, "--config", pool.configFile, "--json", ...more);
  return { ...(JSON.parse(stdout || "{}") as SwapReport), exitCode, stderr };
}

/** Miners mine while `act` runs: nobody is disconnected, no line lost, no share twice, nobody waits longer than `patienceMs`. */
async function unnoticed<Result>(act: () => Promise<Result>, patienceMs = PATIENCE_MS): Promise<Result> {
  const crowd = await Crowd.start(pool, MINERS);
  let result: { readonly value: Result } | undefined;
  const waits: Waits = await crowd.during(async () => {
    result = { value: await act() };
  });
  await crowd.stop(); // Resolves only when the last line is answered.
  expect({ closed: crowd.closed, refused: crowd.refused }).toEqual({ closed: 0, refused: [] });
  expect(tooLong([waits], patienceMs, "gapMs")).toEqual([]);
  await expectAllOnce(pool, crowd.name, crowd.accepted);
  if (!result) throw new Error("nothing was done");
  return result.value;
}

const sorted = (pids: readonly number[]) => [...pids].sort((a, b) => a - b);

async function readyOnes(service: string) {
  return (await registry.list(service)).filter(({ state }) => state === "ready");
}

/** What the next version may change in what is said and stored: [compiled file, what stands there, what stands there then]. */
const NEXT_FORMATS = [
  ["lib/wiring/rpc/frames.js", /export const PROTOCOL_VERSION = (\d+);/, (n: string) => Number(n) + 1],
  ["services/stratum/snapshot.js", /: null,(\s*)\]\);/, () => ': null, "a field of the next version"]);'],
] as const;

/** The same program, as a package of the next version: what an upgrade brings. */
async function nextVersion(version: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "hf-next-"));
  atEnd(() => rm(folder, { recursive: true, force: true }), "file");
  await mkdir(join(folder, "dist"));
  for (const part of ["bin", "circus", "demo", "haproxy", "lib", "services"])
    await cp(join(ROOT, "dist", part), join(folder, "dist", part), { recursive: true });
  for (const [name, was, next] of NEXT_FORMATS) {
    const file = join(folder, "dist", name);
    const text = await readFile(file, "utf8");
    expect(text).toMatch(was);
    await writeFile(
      file,
      text.replace(was, (whole, found: string) => {
        const value = next(found);
        return typeof value === "number" ? whole.replace(found, String(value)) : value;
      }),
    );
  }
  await symlink(join(ROOT, "node_modules"), join(folder, "node_modules"));
  const own = JSON.parse(await readFile(join(ROOT, "package.json"), "utf8")) as object;
  await writeFile(join(folder, "package.json"), JSON.stringify({ ...own, version }));
  return join(folder, "dist", "bin", "headframe.js");
}

test.each<Victim>(["stratum", "jobmanager", "reporter"])(
  "C1 %s is swapped one instance at a time, each ready before the one it replaces drains; nobody notices",
  async (service) => {
    const before = pool.pids(service);
    const report = await unnoticed(() => swap(service));
    expect(report).toMatchObject({ exitCode: 0, ok: true, stderr: "" });
    const after = pool.pids(service);
    expect(after).toHaveLength(before.length);
    expect(after.filter((pid) => before.includes(pid))).toEqual([]);
    expect(sorted(report.replaced.map(({ pid }) => pid))).toEqual(sorted(before));
    expect(sorted(report.serving.map(({ pid }) => pid))).toEqual(sorted(after));
    expect(sorted((await registry.list(service)).map(({ pid }) => pid))).toEqual(sorted(after));
    const [first, second] = after;
    const order = report.steps.filter(({ what }) => what !== "draining").map(({ what, pid }) => [what, pid]);
    expect(order).toEqual([
      ["started", first],
      ["ready", first],
      ["stopped", before[0]],
      ["started", second],
      ["ready", second],
      ["stopped", before[1]],
    ]);
  },
  TEST_MS,
);

test(
  "C2 edge, then keeper with edge, are swapped under traffic: no line and no client is lost",
  async () => {
    for (const service of ["edge", "keeper"]) {
      await standsBy(pool);
      const [edges, keepers] = [await readyOnes("edge"), pool.pids("keeper")];
      const report = await unnoticed(() => swap(service), EDGE_PATIENCE_MS);
      expect(report).toMatchObject({ exitCode: 0, ok: true, stderr: "", replaced: edges.map(({ id }) => ({ id })) });
      expect((await readyOnes("edge")).map(({ id }) => id)).toEqual(report.serving.map(({ id }) => id));
      expect(report.serving.map(({ id }) => id)).not.toEqual(edges.map(({ id }) => id));
      if (service === "edge") expect(pool.pids("keeper")).toEqual(keepers);
      else expect(pool.pids("keeper")).not.toEqual(keepers);
    }
  },
  TEST_MS,
);

test.each([
  ["stratum", "stratum"],
  ["edge", "keeper"],
] as const)(
  "of two operators who swap %s and %s at the same time the second is refused and told who is first; the first is done whole",
  async (...services) => {
    await standsBy(pool);
    const before = (await readyOnes(services[0])).map(({ id }) => id);
    const reports = await unnoticed(() => Promise.all(services.map((service) => swap(service))), EDGE_PATIENCE_MS);
    const [done, refused] = [0, 1].map((code) => reports.find(({ exitCode }) => exitCode === code));
    expect(done).toMatchObject({ exitCode: 0, ok: true, stderr: "" });
    expect(refused).toMatchObject({ exitCode: 1, stderr: expect.stringMatching(/is being changed already \(/) });
    const after = (await readyOnes(services[0])).map(({ id }) => id);
    expect(after).toHaveLength(before.length);
    expect(after.filter((id) => before.includes(id))).toEqual([]);
  },
  TEST_MS,
);

test(
  "the next version, with the next protocol and more in each session's state, is swapped in and out, and says which one it replaced; nobody notices",
  async () => {
    const [old = "", next] = [(await readyOnes("stratum"))[0]?.version, await nextVersion("9.9.9")];
    const own = join(ROOT, "dist", "bin", "headframe.js");
    const versions = async (service: string) => (await readyOnes(service)).map(({ version }) => version);
    // Callers and listeners of both versions meet in every order: edge -> stratum -> reporter, stratum -> jobmanager.
    for (const [service, program, from, to] of [
      ["stratum", next, old, "9.9.9"],
      ["reporter", next, old, "9.9.9"],
      ["stratum", own, "9.9.9", old],
      ["jobmanager", next, old, "9.9.9"],
      ["reporter", own, "9.9.9", old],
      ["jobmanager", own, "9.9.9", old],
    ] as const) {
      const cmd = `${process.execPath} ${program} run ${service} --config ${pool.configFile}`;
      const { exitCode, stdout } = await unnoticed(() =>
        headframe("swap", service, "--config", pool.configFile, "--cmd", cmd),
      );
      expect(exitCode).toBe(0);
      expect(stdout).toContain(`version ${from} -> ${to}`);
      expect(await versions(service)).toEqual([to, to]);
    }
  },
  2 * TEST_MS,
);

test(
  "a new version that ends, or that never gets ready, is stopped again: the old one stays, the reason is printed, exit 1",
  async () => {
    const before = pool.pids("stratum");
    const readyWithin = (ready_timeout: number) =>
      callCircus(pool.endpoint, "set", { name: "stratum", options: { ready_timeout } });
    const [ends, sleeps] = await unnoticed(async () => {
      const ended = await swap("stratum", "--env", "HEADFRAME__stratum__keepaliveMs=soon");
      await readyWithin(NOT_READY_SECONDS);
      return [ended, await swap("stratum", "--cmd", "sleep 1000")];
    });
    await readyWithin(30); // As circus.ini has it.
    expect(ends).toMatchObject({ exitCode: 1, ok: false, steps: expect.anything() });
    expect(ends.stderr).toMatch(/the old instances stay[\s\S]*stratum\.keepaliveMs: found "soon"/);
    expect(sleeps).toMatchObject({ exitCode: 1, ok: false });
    expect(sleeps.stderr).toMatch(/the old instances stay[\s\S]*not become ready[\s\S]*waits for stratum in discovery/);
    expect(pool.pids("stratum")).toEqual(before);
    expect(sorted((await readyOnes("stratum")).map(({ pid }) => pid))).toEqual(sorted(before));
  },
  TEST_MS,
);

test(
  "a new edge that cannot start is none: the old one keeps its clients, and the reason is printed",
  async () => {
    const before = (await readyOnes("edge")).map(({ id }) => id);
    const good = await readFile(pool.configFile, "utf8");
    const operators = `${pool.configFile}.operator`;
    await writeFile(operators, good);
    await writeFile(pool.configFile, `${good}\n[edge]\nhandoverSlice = "many"\n`);
    const { exitCode, stderr } = await unnoticed(() => headframe("swap", "edge", "--config", operators));
    await writeFile(pool.configFile, good);
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/hand-over failed[\s\S]*handoverSlice/);
    expect((await readyOnes("edge")).map(({ id }) => id)).toEqual(before);
  },
  TEST_MS,
);

test.each<Victim>(["stratum", "jobmanager", "reporter"])(
  "a %s killed -9 has left discovery within half a second, by its death certificate",
  async (service) => {
    const tookMs: number[] = [];
    while (tookMs.length < ATTEMPTS && !tookMs.some((ms) => ms < CERTIFIED_MS)) {
      const [victim = 0] = pool.pids(service);
      const fromMs = performance.now();
      process.kill(victim, "SIGKILL");
      await until("it has left, before its heartbeat expires", EXPIRES_MS, async () => {
        return !(await registry.list(service)).some(({ pid }) => pid === victim);
      });
      tookMs.push(performance.now() - fromMs);
      await allServe(pool, service, victim);
    }
    expect(Math.min(...tookMs)).toBeLessThan(CERTIFIED_MS);
  },
  TEST_MS,
);

test(
  "drain ends one instance for good, or puts another in its place first; nobody notices, and the last one is refused",
  async () => {
    const ids = async () => (await readyOnes("stratum")).map(({ id }) => id);
    const drain = (id: string, ...more: string[]) => headframe("drain", id, "--config", pool.configFile, ...more);
    const [first = "", second = ""] = await ids();
    const gone = await unnoticed(async () => ({
      replaced: await drain(first, "--replace"),
      ended: await drain(second, "--json"),
    }));
    expect(gone).toMatchObject({ replaced: { exitCode: 0 }, ended: { exitCode: 0 } });
    expect(gone.replaced.stdout).toMatch(/drained in .*; another one is in its place/);
    expect(JSON.parse(gone.ended.stdout)).toEqual({ instance: second, replaced: false, ms: expect.any(Number) });
    const left = await ids();
    expect(left).toHaveLength(1);
    expect([first, second]).not.toContain(left[0]);
    expect(await drain(left[0] ?? "")).toMatchObject({
      exitCode: 1,
      stderr: expect.stringMatching(/last ready stratum/),
    });
    expect(await drain(first)).toMatchObject({ exitCode: 2, stderr: expect.stringMatching(/there is no instance/) });
  },
  TEST_MS,
);
