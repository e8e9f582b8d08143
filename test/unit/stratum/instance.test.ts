// One whole instance as main.ts opens it, on a real Redis and a real nexus, with an edge, jobmanagers and a reporter of the test's.

import { expect, test } from "@jest/globals";
import {
  type ClientEvent,
  jobmanager,
  type Out,
  reporter,
  type Share,
  STATE_BYTES_MAX,
  type SubmitBlockRequest,
  stratum,
} from "../../../lib/contracts/index.js";
import { type Hosted, type OpenedHouse, type Instance as Peer, WiringError } from "../../../lib/wiring/index.js";
import { metricTable, open, settings as schema } from "../../../services/stratum/main.js";
import { atEnd } from "../../kit/cleanup.js";
import { openTestHouse } from "../../kit/house.js";
import { startRedis } from "../../kit/redis.js";
import { until } from "../../kit/until.js";
import { craftJob, mine, submitLine, WORKER } from "./craft.js";
import { EASY_SETTINGS } from "./stand-ins.js";

const settings = schema.parse({ listeners: EASY_SETTINGS });

/** Two processes' worth: the pool's other services and the edge in one house, stratum in another. */
async function setup() {
  const redis = await startRedis();
  const others = await openTestHouse(redis);
  const pool = await openPool(others);
  const house = await openTestHouse(redis, { tables: [metricTable] });
  const running = await open(house, settings);
  atEnd(() => running.close());
  const edge = await openEdge(others);
  return { redis, others, pool, house, running, edge };
}

async function openPool({ nexus }: OpenedHouse) {
  const shares: Share[] = [];
  const blocks: SubmitBlockRequest[] = [];
  const identities = new Map<string, string>();
  const job = craftJob();
  const jobs: Hosted<typeof jobmanager> = await nexus.host(
    jobmanager,
    {
      submitBlock: (request) => {
        blocks.push(request);
        return { status: "accepted", hash: "00".repeat(32), height: job.height, verdicts: [] };
      },
      tipChanged: () => ({}),
      status: () => ({ daemons: [] }),
    },
    { snapshots: { job: () => [job] } },
  );
  const nothing = () => Promise.reject(new Error("not of this test"));
  await nexus.host(reporter, {
    recordShares: (request) => ({
      outcomes: request.shares.map((share) => {
        const identity = Buffer.from(share.identity).toString("hex");
        const line = `${share.connection} ${share.line}`;
        const before = identities.get(identity);
        if (before !== undefined) return before === line ? "redelivered" : "duplicate";
        identities.set(identity, line);
        shares.push(share);
        return "recorded";
      }),
    }),
    known: ({ claims }) => ({
      known: claims.map(
        (it) => identities.get(Buffer.from(it.identity).toString("hex")) === `${it.connection} ${it.line}`,
      ),
    }),
    recordRejects: () => ({}),
    recordBlock: () => ({}),
    status: nothing,
    pool: nothing,
    workers: nothing,
    blocks: nothing,
    rounds: nothing,
    roundWorkers: nothing,
    shares: nothing,
  });
  return { shares, blocks, job, jobs };
}

async function openEdge({ nexus }: OpenedHouse) {
  const client = nexus.client(stratum);
  const outs: { from: Peer; out: Out }[] = [];
  const joined = new Set<string>();
  client.subscribe("out", {
    onMessage: ({ outs: all }, { instance }) => void outs.push(...all.map((out) => ({ from: instance, out }))),
    onJoin: ({ id }) => void joined.add(id),
  });
  await client.ready(5_000);
  await until("the instance's answers reach the edge", 5_000, () => joined.size > 0);
  const text = () => outs.map(({ out }) => Buffer.from(out.bytes ?? []).toString()).join("");
  return {
    client,
    outs,
    text,
    states: () => outs.flatMap(({ out }) => (out.kind === "write" && out.state ? [out.state] : [])),
    send: (...events: unknown[]) => client.call("events", { events: events as ClientEvent[] }),
    said: (what: string) => until(`the client hears ${what}`, 5_000, () => text().includes(what)),
  };
}

const opened = (handle: number, changes: object = {}) => ({
  kind: "open",
  handle,
  connection: `tcp/${handle}`,
  remoteAddress: "192.0.2.1",
  remotePort: 4_000,
  listener: "tcp",
  secure: false,
  adopted: false,
  ...changes,
});
const line = (handle: number, number: number, text: string) => ({
  kind: "line",
  handle,
  number,
  bytes: Buffer.from(text),
});
const subscribe = (handle: number, number: number, ...params: string[]) =>
  line(handle, number, JSON.stringify({ id: number, method: "mining.subscribe", params }));
const authorize = (handle: number, number: number) =>
  line(handle, number, JSON.stringify({ id: number, method: "mining.authorize", params: [WORKER] }));

const extranonce1In = (text: string) => /"mining\.notify","[^"]+"\]\],"([0-9a-f]{8})"/.exec(text)?.[1] ?? "";

test("a miner's lines come in, answers, jobs and blocks go out, through a real nexus", async () => {
  const { edge, pool } = await setup();
  await edge.send(opened(1), subscribe(1, 1), authorize(1, 2));
  await edge.said('"id":2,"result":true');
  await edge.said('mining.notify","params"');
  const extranonce1 = extranonce1In(edge.text());
  const block = mine(pool.job, "block", {}, extranonce1);
  await edge.send(line(1, 3, submitLine(3, block)), line(1, 4, submitLine(4, block)));
  await edge.said('"id":4,"result":null,"error":[22,');
  await edge.said('"id":3,"result":true');
  expect(pool.shares).toMatchObject([{ connection: "tcp/1", line: 3, worker: WORKER, block: true }]);
  await until("the jobmanager has the block", 5_000, () => pool.blocks.length > 0);
  expect(pool.blocks[0]).toMatchObject({ job: pool.job.id, worker: WORKER, connection: "tcp/1" });

  pool.jobs.push("job", craftJob({ id: "b1", tip: 2, height: 101 }));
  await edge.said('"b1');
  const broadcasts = edge.outs.filter(({ out }) => out.kind === "broadcast");
  expect(broadcasts).toHaveLength(1);
  expect(edge.states().every(({ length }) => length <= STATE_BYTES_MAX)).toBe(true);
  const { connections, counters } = await edge.client.call("status", {});
  expect(connections).toBe(1);
  expect(counters).toMatchObject({ "shares.recorded": 1, "shares.duplicate": 1, "jobs.tip": 2 });
});

test("two instances never give out the same extranonce1, and a session is resumed on the other one", async () => {
  const { house, others, edge, redis } = await setup();
  const secondHouse = await openTestHouse(redis);
  const second = await open(secondHouse, settings);
  atEnd(() => second.close());
  const ids = await until("both instances are known", 5_000, () => {
    const all = others.nexus.client(stratum).instances();
    return all.length === 2 && all.map(({ id }) => id);
  });
  expect(house.cluster).toBe(secondHouse.cluster);
  const to = (index: number, ...events: unknown[]) => {
    const id = ids[index];
    if (id === undefined) throw new Error(`no instance ${index}`);
    return edge.client.call("events", { events: events as ClientEvent[] }, { to: id });
  };
  await to(0, opened(1), subscribe(1, 1));
  await edge.said("tcp/1");
  await to(1, opened(2), subscribe(2, 1));
  await edge.said("tcp/2");
  const numbers = edge.outs.map(({ out }) => extranonce1In(Buffer.from(out.bytes ?? []).toString())).filter(Boolean);
  expect(new Set(numbers).size).toBe(2);
  await to(0, { kind: "close", handle: 1, reason: "client" });
  const resumed = await until("the session is free and resumed", 5_000, async () => {
    const before = edge.outs.length;
    const handle = 100 + before;
    await to(1, opened(handle), subscribe(handle, 1, "cgminer", "tcp/1"));
    await edge.said(`tcp/${handle}`);
    return (
      extranonce1In(
        edge.outs
          .slice(before)
          .map(({ out }) => Buffer.from(out.bytes ?? []).toString())
          .join(""),
      ) === numbers[0]
    );
  });
  expect(resumed).toBe(true);
});

test("a new edge process finds its adopted clients' sessions in Redis", async () => {
  const { edge, pool } = await setup();
  await edge.send(opened(1), subscribe(1, 1), authorize(1, 2));
  await edge.said('"id":2,"result":true');
  const extranonce1 = extranonce1In(edge.text());
  await until("Redis knows the session", 5_000, async () => {
    const before = edge.text().length;
    const handle = 200 + edge.outs.length;
    const share = mine(pool.job, "share", { extranonce2: handle.toString(16).padStart(16, "0") }, extranonce1);
    await edge.send(opened(handle, { connection: "tcp/1", adopted: true }), line(handle, 7, submitLine(handle, share)));
    await edge.said(`"id":${handle},`);
    return edge.text().slice(before).includes(`"id":${handle},"result":true`);
  });
});

test("a draining instance refuses new lines, finishes those it has and leaves discovery", async () => {
  const { edge, running, others } = await setup();
  await edge.send(opened(1), subscribe(1, 1));
  await edge.said("mining.notify");
  const [instance] = edge.client.instances();
  if (!instance) throw new Error("no instance");
  await running.drain(2_000);
  await expect(edge.client.call("events", { events: [] }, { to: instance.id, timeoutMs: 500 })).rejects.toThrow(
    WiringError,
  );
  await running.close();
  await running.close();
  await until("it is gone", 5_000, () => others.nexus.client(stratum).instances().length === 0);
});

test("J1 an instance whose draining cannot be told, Redis being away, tells its clients every new tip meanwhile", async () => {
  const { redis, edge, running, pool } = await setup();
  await edge.send(opened(1), subscribe(1, 1), authorize(1, 2));
  await edge.said('"id":2,"result":true');
  redis.freeze();
  const drained = running.drain(5_000);
  pool.jobs.push("job", craftJob({ id: "b1", tip: 2, height: 101 }));
  await edge.said('"params":["b1');
  redis.thaw();
  await drained;
});
