// What an instance tells of its miners, by real conversations.

import { describe, expect, test } from "@jest/globals";
import type { EpochMs } from "../../../lib/contracts/index.js";
import { Figures, HALF_LIFE_MS } from "../../../services/stratum/figures.js";
import { pageOfMiners } from "../../../services/stratum/miners.js";
import { craftJob, mine, submitLine } from "./craft.js";
import { Instance, Miner } from "./stand-ins.js";

const job = craftJob();

async function mining(instance: Instance, connection: string, handle: number, worker: string) {
  const miner = new Miner(instance, connection, handle);
  await miner.ask({ id: 1, method: "mining.subscribe", params: ["cgminer/4.12"] });
  await miner.ask({ id: 2, method: "mining.authorize", params: [worker, "x"] });
  return miner;
}

const page = (instance: Instance, request: object = {}) =>
  pageOfMiners(
    { connections: instance.lines.connections, proofOfWork: "sha256d", nowMs: performance.now() },
    { limit: 100, after: 0, ...request },
  );

describe("miners", () => {
  test("each connection comes with its worker, difficulty, shares, and refusals by reason", async () => {
    const instance = new Instance();
    instance.job(job);
    const miner = await mining(instance, "tcp/one", 1, "alice.rig1");
    const share = mine(job, "share", {}, "00000001");
    await miner.ask(submitLine(3, share));
    instance.outcome = () => "duplicate";
    await miner.ask(submitLine(4, mine(job, "share", { nonce: share.nonce + 1 }, "00000001")));
    await miner.ask(submitLine(5, mine(job, "poor", {}, "00000001")));
    new Miner(instance, "tcp/two", 2);
    const [one, two] = page(instance).miners;
    expect(one).toMatchObject({
      ...{ connection: "tcp/one", address: "192.0.2.1", listener: "default", agent: "cgminer/4.12", phase: "mining" },
      ...{ workers: ["alice.rig1"], accepted: 1, rejected: { duplicate: 1, "low-difficulty": 1 } },
    });
    expect(one?.hashrate).toBeGreaterThan(0);
    expect(one?.lastShareAt).toBeGreaterThanOrEqual(one?.servedSince ?? Number.POSITIVE_INFINITY);
    expect(two).toMatchObject({ connection: "tcp/two", phase: "subscribing", workers: [], accepted: 0, hashrate: 0 });
    expect(two).not.toHaveProperty("difficulty");
  });

  test("one is found by worker, address or connection id, in any case", async () => {
    const instance = new Instance();
    instance.job(job);
    await mining(instance, "tcp/alice", 1, "carol.rig1");
    await mining(instance, "tcp/bob", 2, "Alice.rig2");
    const found = (request: object) => page(instance, request).miners.map(({ connection }) => connection);
    expect(found({ match: "ALICE" })).toEqual(["tcp/alice", "tcp/bob"]);
    expect(found({ match: "alice", by: "worker" })).toEqual(["tcp/bob"]);
    expect(found({ match: "alice", by: "connection" })).toEqual(["tcp/alice"]);
    expect(found({ match: "192.0.2", by: "address" })).toHaveLength(2);
    expect(found({ match: "nobody" })).toEqual([]);
  });

  test("pages join without a hole or a repetition, also while connections come and go", async () => {
    const instance = new Instance();
    const miners = Array.from({ length: 7 }, (_, i) => new Miner(instance, `tcp/${i}`, i + 1));
    const first = page(instance, { limit: 3 });
    expect(first.connections).toBe(7);
    miners[1]?.close();
    miners[4]?.close();
    new Miner(instance, "tcp/late", 9);
    const rest = page(instance, { limit: 100, after: first.next });
    const all = [...first.miners, ...rest.miners].map(({ connection }) => connection);
    expect(all).toEqual(["tcp/0", "tcp/1", "tcp/2", "tcp/3", "tcp/5", "tcp/6", "tcp/late"]);
    expect(rest).not.toHaveProperty("next");
  });

  test("one call looks at a part of very many connections and says where to go on", () => {
    const instance = new Instance();
    for (let i = 1; i <= 6_000; i++) new Miner(instance, `tcp/${i}`, i);
    const first = page(instance, { match: "tcp/5999" });
    expect(first.miners).toEqual([]);
    expect(page(instance, { match: "tcp/5999", after: first.next }).miners).toHaveLength(1);
  });
});

test("a steady miner's hashrate is what it mines, from its first minutes on, and fades when it stops", () => {
  const figures = new Figures(0 as EpochMs, 0);
  let nowMs = 0;
  const run = (untilMs: number) => {
    for (; nowMs < untilMs; nowMs += 10_000) figures.accept(20, nowMs, nowMs as EpochMs);
    return figures.workPerSecond(nowMs);
  };
  for (const untilMs of [60_000, 600_000, 3_600_000]) expect(Math.abs(run(untilMs) / 2 - 1)).toBeLessThan(0.15);
  expect(figures.workPerSecond(nowMs + HALF_LIFE_MS)).toBeCloseTo(figures.workPerSecond(nowMs) / 2, 3);
});
