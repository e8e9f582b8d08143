// Every command of an operator's on one running pool: real Redis, litecoind, HAProxy, and a miner that works.

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, expect, test } from "@jest/globals";
import { execa } from "execa";
import { atEnd } from "../kit/cleanup.js";
import { BIN, headframe } from "../kit/command.js";
import { startLitecoindPair } from "../kit/litecoind.js";
import { Miner, startPool, type TestPool } from "../kit/pool.js";
import { type RedisServer, startRedis } from "../kit/redis.js";
import { startSharePool } from "../kit/share-pool.js";
import { until } from "../kit/until.js";

let pool: TestPool;
let redis: RedisServer;

beforeAll(async () => {
  const keep = "file";
  const [server, pair] = await Promise.all([startRedis({ keep }), startLitecoindPair({ mweb: false, keep })]);
  redis = server;
  pool = await startPool({ redis, daemons: [pair.a, pair.b], payoutAddress: pair.payoutAddress, keep });
}, 90_000);

/** On this pool. */
const ask = (...words: string[]) => headframe(...words, "--config", pool.configFile);

async function json(...words: string[]): Promise<unknown> {
  const { stdout, stderr, exitCode } = await ask(...words, "--json");
  expect({ stderr, exitCode }).toEqual({ stderr: "", exitCode: 0 });
  return JSON.parse(stdout);
}

const WORKER = "alice.rig1";

/** Here every share is a block, so the one after it may be stale before its job is here. */
const accepted = (miner: Miner, wanted: number) =>
  until(`${wanted} shares are accepted`, 15_000, async () => (await miner.mine()) && miner.accepted >= wanted);

test("miners, shares, blocks, rounds, ps and top agree on what a miner does", async () => {
  const miner = await Miner.start(pool, WORKER);
  const share = await miner.find();
  expect([await miner.submit(share), await miner.submit(share)]).toEqual([true, false]);
  const [miners, one, shares, blocks, rounds, ps, top] = await Promise.all([
    json("miners"),
    ask("miners", "ALICE", "--by", "worker"),
    json("shares", "tail", "-n", "1"),
    json("blocks"),
    ask("rounds"),
    json("ps"),
    ask("top", "-n", "1"),
  ]);
  expect(miners).toMatchObject([{ workers: [WORKER], accepted: 1, phase: "mining" }]);
  expect(one.stdout).toMatch(/workers +alice\.rig1[\s\S]*accepted +1\n +rejected +1 (stale|duplicate)/);
  expect(shares).toMatchObject({ worker: WORKER, block: true });
  expect(blocks).toMatchObject([{ worker: WORKER, round: 1 }]);
  expect(rounds.stdout).toMatch(/ROUND[\s\S]*alice\.rig1 100\.0 %/);
  expect(ps).toEqual(expect.arrayContaining([expect.objectContaining({ service: "edge", senior: true, load: 1 })]));
  expect(top.stdout).toMatch(/^\d\d:\d\d:\d\d .*1 workers +1 accepted +1 rejected +1 blocks +1 clients +job /);
}, 60_000);

test("subscribe prints pushes as they come, and shares tail -f misses none", async () => {
  const pushed = ask("subscribe", "jobmanager", "job", "-n", "1");
  const following = execa(process.execPath, [BIN, "shares", "tail", "-f", "--json", "--config", pool.configFile], {
    reject: false,
  });
  atEnd(() => following.kill("SIGKILL"));
  let said = "";
  following.stdout.on("data", (chunk: Buffer) => {
    said += chunk.toString();
  });
  const miner = await Miner.start(pool, "bob.rig1");
  await accepted(miner, 3);
  await until("the follower has all three", 15_000, () => said.split('"bob.rig1"').length === miner.accepted + 1);
  following.kill("SIGINT");
  expect((await following).exitCode).toBe(0);
  expect(JSON.parse((await pushed).stdout)).toMatchObject({
    message: { coin: "litecoin", previousHash: expect.any(String) },
  });
}, 60_000);

test("a share is followed from the edge to the log by its ids, once the level is debug", async () => {
  expect(await json("log-level", "all", "debug")).toEqual(
    expect.arrayContaining([expect.objectContaining({ level: "debug", configured: "info" })]),
  );
  const miner = await Miner.start(pool, "carol.rig1");
  await accepted(miner, 1);
  const [share] = [await json("shares", "tail", "-n", "1", "--worker", "carol")] as {
    id: string;
    connection: string;
  }[];
  const way = await ask("logs", "--share", share?.id ?? "");
  expect(way.stdout).toMatch(/keeper \d+ +line came/);
  expect(way.stdout).toMatch(/reporter \d+ +share in the log: recorded/);
  expect(way.stdout).toMatch(/stratum \d+ +share recorded/);
  const connection = await ask("logs", "--connection", share?.connection ?? "", "--service", "stratum", "--json");
  expect(JSON.parse(connection.stdout.split("\n")[0] ?? "")).toMatchObject({ worker: "carol.rig1" });
}, 60_000);

test("doctor says what is wrong and how to fix it, exits 1, and exits 0 once it is fixed", async () => {
  const first = await ask("doctor", "--json");
  expect(first).toMatchObject({ exitCode: 1, stderr: expect.stringContaining("1 error found") });
  const memoryOnly = { what: "redis", verdict: "bad", mend: expect.stringContaining("CONFIG SET appendonly yes") };
  expect(JSON.parse(first.stdout)).toEqual(expect.arrayContaining([expect.objectContaining(memoryOnly)]));
  await redis.client().config("SET", "appendonly", "yes");
  const second = await ask("doctor");
  expect(second.stdout).toMatch(/ok +redis +writes every change to disk/);
  expect(second.stdout).toMatch(/ok +daemon daemon-1 .* on regtest/);
  expect(second.stdout).toMatch(/ok +port \d+ +127\.0\.0\.1:\d+ is served/);
  expect(second.stdout).not.toContain("BAD");
  expect(second.exitCode).toBe(0);
}, 60_000);

test("call names what is accepted, config show masks secrets, a match that nobody has is no failure", async () => {
  const [wrong, shown, nobody] = await Promise.all([
    ask("call", "reporter", "shares", '{"limit":0}'),
    ask("config", "show", "--set", "redis.url=redis://:sesame@127.0.0.1:1"),
    ask("miners", "nobody"),
  ]);
  expect(wrong).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('"maximum": 1000') });
  expect(shown.stdout).toContain("redis://:***@127.0.0.1:1");
  expect(shown.stdout).not.toContain("sesame");
  expect(nobody).toMatchObject({ exitCode: 0, stdout: expect.stringContaining("No such miner") });
}, 60_000);

test("with Redis away, ps, top, call and doctor work with the instances last known, and doctor knows its own HAProxy", async () => {
  const outage = await startRedis();
  const { pool: cut } = await startSharePool(outage);
  const config = ["--config", cut.configFile];
  let listed: string[] = [];
  await until("the process manager has noted the instances", 15_000, async () => {
    const before = await headframe("ps", "--json", ...config);
    listed = (JSON.parse(before.stdout) as { id: string }[]).map(({ id }) => id).sort();
    const text = await readFile(join(cut.run, "sockets", "instances.json"), "utf8").catch(() => "{}");
    const { instances = [] } = JSON.parse(text) as { instances?: { id: string }[] };
    return (
      instances
        .map(({ id }) => id)
        .sort()
        .join() === listed.join()
    );
  });
  await outage.stop();
  const ps = await headframe("ps", "--json", ...config);
  expect(ps).toMatchObject({ exitCode: 0, stderr: expect.stringContaining("going on with the instances known at") });
  expect((JSON.parse(ps.stdout) as { id: string }[]).map(({ id }) => id).sort()).toEqual(listed);
  const call = await headframe("call", "jobmanager", "status", ...config);
  expect(JSON.parse(call.stdout)).toMatchObject({ daemons: expect.any(Array) });
  const top = await headframe("top", "-n", "1", "--json", ...config);
  expect(JSON.parse(top.stdout)).toMatchObject({
    troubles: expect.arrayContaining([expect.stringContaining("Redis at")]),
  });
  expect((JSON.parse(top.stdout) as { instances: unknown[] }).instances).toHaveLength(listed.length);
  const doctor = await headframe("doctor", "--json", ...config);
  const findings = JSON.parse(doctor.stdout) as { what: string; verdict: string; text: string }[];
  const of = (what: string) => findings.filter((it) => it.what === what);
  expect(doctor.exitCode).toBe(1);
  expect(of("redis")).toMatchObject([{ verdict: "bad" }]);
  expect(of(`port ${cut.port}`)).toMatchObject([{ verdict: "good", text: expect.stringContaining("is served") }]);
  expect(of("stratum")).toMatchObject([{ verdict: "good" }]);
  // What needs Redis says so, and why.
  const swap = await headframe("swap", "stratum", ...config);
  expect(swap).toMatchObject({ exitCode: 1, stderr: expect.stringContaining("nothing listens there") });
}, 120_000);
