// The command line as a newcomer meets it: what it says, where it says it, and with which exit code it ends.

import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeEach, expect, test } from "@jest/globals";
import { execa } from "execa";
import { stringify } from "smol-toml";
import { atEnd } from "../kit/cleanup.js";
import { fromTable, startDaemonStandIn } from "../kit/daemon-stand-in.js";
import { freePort } from "../kit/ports.js";
import { startRedis } from "../kit/redis.js";
import { until } from "../kit/until.js";

const BIN = fileURLToPath(new URL("../../bin/headframe.js", import.meta.url));

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "hf-"));
  atEnd(() => rm(folder, { recursive: true, force: true }));
});

async function headframe(...words: string[]) {
  const { exitCode, stdout, stderr } = await execa(process.execPath, [BIN, ...words], {
    cwd: folder,
    reject: false,
    timeout: 150_000, // Twelve processes start on a machine that may be busy.
    extendEnv: true,
  });
  return { exitCode, stdout, stderr };
}

async function config(content: object, name = "headframe.toml"): Promise<string> {
  const file = join(folder, name);
  await writeFile(file, stringify(content));
  return file;
}

/** Each start of the embedded default takes a busy machine long: the second one here serves two promises. */
test("what a killed `up` left running is ended by the next one, which mines a real chain, and only logs are left", async () => {
  const first = execa(process.execPath, [BIN, "up"], { cwd: folder, reject: false });
  atEnd(() => first.kill("SIGKILL"));
  let said = "";
  first.stdout.on("data", (chunk: Buffer) => {
    said += chunk.toString();
  });
  await until("it is up", 150_000, () => said.includes("all up"));
  first.kill("SIGKILL");
  await first;
  const running = async () =>
    (await execa("ps", ["-eo", "args"])).stdout.split("\n").filter((line) => line.includes(folder));
  expect((await running()).length).toBeGreaterThan(5);

  const flags = ["--for", "6", "--summary", "out.json", "--set", "miner.hashesPerSecond=2"];
  const { exitCode, stderr, stdout } = await headframe("up", ...flags);
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
  expect(stdout).toMatch(/ended redis \(pid \d+\), left over from a run that was killed/);
  const summary = JSON.parse(await readFile(join(folder, "out.json"), "utf8"));
  expect(summary).toMatchObject({ disconnects: 0, mweb: true });
  expect(summary.blocksInChain).toBeGreaterThan(0);
  expect(summary.blocksInChain).toBeLessThanOrEqual(summary.blocksFound);
  expect(summary.sharesAccepted).toBeGreaterThan(0);
  expect(summary.sharesRecorded).toBe(summary.sharesAccepted);
  expect(await running()).toEqual([]);
  const runs = await readdir(join(folder, "run"));
  expect(runs).toHaveLength(2);
  for (const run of runs) expect(await readdir(join(folder, "run", run))).toEqual(["logs"]);
}, 360_000);

test("a wrong configuration names file, key, what was found and what is accepted, exits 2, and nothing is started", async () => {
  const file = await config({ redis: { url: "localhost" }, stratum: { keepaliveMs: "soon" }, jobmanagr: {} });
  const { exitCode, stderr } = await headframe("up", "--config", file);
  expect(exitCode).toBe(2);
  expect(stderr).toContain(`${file}: redis.url`);
  expect(stderr).toContain(`${file}: stratum.keepaliveMs: found "soon"; expected number`);
  expect(stderr).toContain("jobmanagr: unknown key; did you mean jobmanager?");
  expect(await readdir(folder)).toEqual(["headframe.toml"]);
});

test("settings that contradict each other are refused before anything starts", async () => {
  const daemons = [{ name: "near", url: "http://127.0.0.1:1", user: "u", password: "p" }];
  const file = await config({
    jobmanager: { network: "regtest", payout: { script: "51" }, daemons, pulseMs: 10_000 },
    stratum: { extranonce1Size: 8, noWorkDisconnectMs: 5_000, listeners: { defualt: {} } },
    reporter: { identityTtlMs: 60_000 },
  });
  const { exitCode, stderr } = await headframe("up", "--config", file);
  expect(stderr).toContain("stratum.extranonce1Size: found 8; must be what jobmanager.extranonce1Size is (4)");
  expect(stderr).toContain("stratum.noWorkDisconnectMs: found 5000; must be longer than jobmanager.pulseMs (10000)");
  expect(stderr).toContain("reporter.identityTtlMs: found 60000; must be at least jobmanager.jobTtlMs (600000)");
  expect(stderr).toContain("no such listener");
  expect(exitCode).toBe(2);
});

test("a pool without a jobmanager section, or with a wrong --set, is refused before anything starts", async () => {
  const missing = await headframe("up", "--config", await config({}));
  expect(missing).toMatchObject({ exitCode: 2, stderr: expect.stringContaining("[jobmanager] is missing") });
  const wrong = await headframe("up", "--set", "stratum.nope=1");
  expect(wrong).toMatchObject({ exitCode: 2, stderr: expect.stringContaining("stratum.nope: unknown key") });
  expect(await readdir(folder)).toEqual(["headframe.toml"]);
});

test("a missing section says what it needs", async () => {
  const redis = await startRedis();
  const { exitCode, stderr } = await headframe(
    "run",
    "jobmanager",
    "--config",
    await config({ redis: { url: redis.url } }),
  );
  expect(exitCode).toBe(2);
  expect(stderr).toContain("[jobmanager] is missing");
});

test("Redis' wrong password is said at once, with its address and without the password", async () => {
  const redis = await startRedis({ password: "right" });
  const url = redis.url.replace("right", "wrong");
  const { exitCode, stderr } = await headframe("ps", "--config", await config({ redis: { url } }));
  expect(exitCode).toBe(1);
  expect(stderr).toMatch(/password|WRONGPASS/i);
  expect(stderr).toContain(new URL(url).port);
  expect(stderr).not.toContain("wrong@");
});

test("an unreachable Redis says where it was looked for", async () => {
  const port = await freePort();
  const url = `redis://127.0.0.1:${port}`;
  const { exitCode, stderr } = await headframe(
    "ps",
    "--config",
    await config({ redis: { url, connectTimeoutMs: 300 } }),
  );
  expect(exitCode).toBe(1);
  expect(stderr).toContain(`127.0.0.1:${port}`);
});

/** `up` on the operator's own; `[jobmanager]` as usual but for what is given. */
async function upOn(redisUrl: string, daemon: object, name: string) {
  const daemons = [{ name: "near", user: "pool", password: "secret", ...daemon }];
  const jobmanager = { network: "regtest", payout: { script: "51" }, daemons };
  const file = await config({ redis: { url: redisUrl }, jobmanager }, name);
  const fromMs = performance.now();
  return { ...(await headframe("up", "--config", file)), ms: performance.now() - fromMs };
}

/** A person waits no longer; most of it is Node's start on a busy machine. */
const AT_ONCE_MS = 15_000;

test("up with a Redis that refuses its password, or is not there, says so at once", async () => {
  const redis = await startRedis({ password: "right" });
  const daemon = { url: `http://127.0.0.1:${await freePort()}` };
  const places = [redis.url.replace("right", "wrong"), `redis://127.0.0.1:${await freePort()}`] as const;
  const [refused, absent] = await Promise.all([upOn(places[0], daemon, "a.toml"), upOn(places[1], daemon, "b.toml")]);
  expect(refused).toMatchObject({ exitCode: 1, stderr: expect.stringMatching(/refuses the user or password/) });
  expect(absent).toMatchObject({ exitCode: 1, stderr: expect.stringMatching(/nothing listens there/) });
  expect(Math.max(refused.ms, absent.ms)).toBeLessThan(AT_ONCE_MS);
}, 60_000);

test("up with no coin daemon that can be used names each reason at once; nothing was started", async () => {
  const redis = await startRedis();
  const wrong = await startDaemonStandIn(() => ({ status: 401, raw: "" }));
  const other = await startDaemonStandIn(fromTable({ getblockchaininfo: { chain: "main", blocks: 1 } }));
  const [refused, absent, elsewhere] = await Promise.all([
    upOn(redis.url, { url: wrong.url }, "a.toml"),
    upOn(redis.url, { url: `http://127.0.0.1:${await freePort()}` }, "b.toml"),
    upOn(redis.url, { url: other.url }, "c.toml"),
  ]);
  expect(refused.stderr).toMatch(
    /no coin daemon can be used[\s\S]*daemon near refuses our credentials: check user and/,
  );
  expect(absent.stderr).toMatch(/daemon near does not answer at .*: is it running\?/);
  expect(elsewhere.stderr).toMatch(/daemon near is on chain main, this pool mines regtest/);
  for (const { exitCode, ms, stdout, stderr } of [refused, absent, elsewhere]) {
    expect(exitCode).toBe(1);
    expect(ms).toBeLessThan(AT_ONCE_MS);
    expect(stdout).not.toContain("starting");
    expect(stderr).not.toContain("secret");
  }
}, 60_000);

test("ps lists instances for people and for programs", async () => {
  const redis = await startRedis();
  const file = await config({ redis: { url: redis.url } });
  expect((await headframe("ps", "--config", file)).stdout).toContain("No instance is running");
  const reporter = execa(process.execPath, [BIN, "run", "reporter", "--config", file], { cwd: folder, reject: false });
  atEnd(async () => {
    reporter.kill("SIGKILL");
    await reporter;
  });
  const { stdout, exitCode } = await headframe("call", "reporter", "pool", "--config", file, "--timeout", "10000");
  expect(exitCode).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ accepted: 0, recorded: 0, round: 1 });
  expect(JSON.parse((await headframe("ps", "--json", "--config", file)).stdout)).toMatchObject([
    { service: "reporter", pid: reporter.pid, state: "ready" },
  ]);
  expect((await headframe("ps", "--config", file)).stdout).toMatch(/SERVICE\s+INSTANCE\s+STATE[\s\S]*reporter/);
  reporter.kill("SIGTERM");
  expect((await reporter).exitCode).toBe(0);
}, 60_000);

test("wrong usage exits 2 and says so on stderr alone; help exits 0 and says it on stdout", async () => {
  const [wrong, help] = await Promise.all([headframe("upp"), headframe("--help")]);
  expect(wrong).toMatchObject({ exitCode: 2, stdout: "", stderr: expect.stringContaining("Did you mean up?") });
  expect(help).toMatchObject({ exitCode: 0, stderr: "", stdout: expect.stringContaining("headframe doctor") });
});
