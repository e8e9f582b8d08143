// edge: what a connection costs, how many lines an edge carries, and how a storm of connections is met.
//
//   lines    clients -> one edge, and two -> a backend that echoes: lines a second of an edge's processor time
//   memory   idle connections at a whole pool: what keeper, edge and stratum have grown by
//   storm    everybody connects at once, subscribes and authorizes; until the last has a job

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { RedisProcess } from "../chaos/redis.js";
import { freePorts } from "../demo/ports.js";
import { Crew, type Member } from "./kit/crew.js";
import { type Load, median } from "./kit/load.js";
import { type Benchmark, type Floor, percent, type Row, type RunOptions } from "./kit/report.js";
import type { Storm, Where } from "./pool/miners.js";
import { BenchPool } from "./pool/pool.js";

const CONNECTIONS = 10_000;
const LINE_CLIENTS = 200;
const OUTSTANDING = 4_000;
const LINES_FLOOR = 45_000;
const KB_FLOOR = 16;
const STORM_FLOOR_S = 10;
/** Garbage of the storm is collected (idle processes do so within some ten seconds), and what is left is told by the kernel. */
const SETTLE_MS = 15_000;
const GONE_MS = 15_000;
const LINES = new URL("./edge/lines.js", import.meta.url);
const MINERS = new URL("./pool/miners.js", import.meta.url);
const KINDS = ["keeper", "edge", "stratum"] as const;
/** Who has work in a storm, beside the clients. */
const STORM_KINDS = ["haproxy", ...KINDS] as const;

export const edge: Benchmark = async (options) => {
  const crew = new Crew();
  try {
    const lines = await lineRates(crew, options);
    await crew.close();
    const idle = await connections(crew, options);
    return {
      ...{ name: "edge", title: "Lines, idle connections and a storm of them" },
      rows: [...lines.rows, ...idle.rows],
      floors: [...lines.floors, ...idle.floors],
      ...{ plots: [], notes: idle.notes },
    };
  } finally {
    await crew.close();
  }
};

interface Rate extends Load {
  readonly edgeCpuUs: number;
}

async function lineRates(crew: Crew, options: RunOptions): Promise<{ rows: Row[]; floors: Floor[] }> {
  const directory = await mkdtemp(join(tmpdir(), "headframe-bench-"));
  const [redisPort, first, second] = await freePorts(3);
  const redis = await RedisProcess.open(redisPort, directory);
  try {
    const ports = [first, second];
    const edges: Member[] = [];
    const backend = await crew.start(LINES, ["backend"]);
    await backend.ask("backend", redis.url);
    for (const port of ports) {
      const member = await crew.start(LINES, ["edge"]);
      await member.ask("edge", { redis: redis.url, port });
      edges.push(member);
    }
    const rows: Row[] = [];
    let profile = "";
    for (const count of [1, 2]) {
      options.tell(`edge: lines through ${count} of them`);
      const clients = await crew.start(LINES, ["clients"]);
      await clients.ask("attend", { ports: ports.slice(0, count), count: LINE_CLIENTS });
      const found: Rate[] = [];
      for (let round = -1; round < options.rounds; round++) {
        options.signal.throwIfAborted();
        const rate = await oneRate(clients, edges, options.ms);
        if (round >= 0) found.push(rate); // The first one warms up.
      }
      rows.push(rateRow(`lines, ${count} edge${count > 1 ? "s" : ""}`, found));
      const [edge] = edges;
      if (count === 1 && edge) profile = await profileOf(edge, clients, options.ms);
      await clients.end();
    }
    for (const member of [...edges, backend]) await member.ask("close");
    const perCore = 1e6 / (rows[0]?.cpuUs ?? Number.NaN);
    const floor = { what: "lines through an edge and back", sense: "at least", limit: LINES_FLOOR } as const;
    return { rows, floors: [{ ...floor, found: perCore, unit: "lines/s of one edge core", profile }] };
  } finally {
    await redis.close();
    await rm(directory, { recursive: true, force: true });
  }
}

async function oneRate(clients: Member, edges: readonly Member[], ms: number): Promise<Rate> {
  const cpu = async () => (await Promise.all(edges.map((it) => it.usage()))).reduce((sum, it) => sum + it.cpuUs, 0);
  const before = await cpu();
  const load = await clients.ask<Load>("load", { outstanding: OUTSTANDING, ms });
  return { ...load, edgeCpuUs: (await cpu()) - before };
}

function rateRow(what: string, found: readonly Rate[]): Row {
  const of = (figure: (rate: Rate) => number) => median(found.map(figure));
  return {
    ...{ what: `${what} (CPU: of the edges)`, n: found.reduce((sum, { n }) => sum + n, 0) },
    ...{ p50: of(({ p50 }) => p50), p99: of(({ p99 }) => p99), p999: of(({ p999 }) => p999) },
    ...{ rate: of(({ rate }) => rate), cpuUs: of(({ edgeCpuUs, n }) => edgeCpuUs / n) },
  };
}

async function profileOf(edge: Member, clients: Member, ms: number): Promise<string> {
  const spots = await edge.profile(() => clients.ask("load", { outstanding: OUTSTANDING, ms }));
  return spots
    .slice(0, 8)
    .map(({ where, part }) => `${where} ${percent(part)}`)
    .join(", ");
}

async function connections(
  crew: Crew,
  options: RunOptions,
): Promise<{ rows: Row[]; floors: Floor[]; notes: string[] }> {
  const { tell, signal } = options;
  const count = Math.round(CONNECTIONS * options.scale);
  const pool = await BenchPool.open({ clients: count, transactions: 200, signal });
  try {
    const throughHaproxy = Math.min(count, pool.haproxyMax);
    // A first crowd comes and goes, so that what the processes need anyway is not taken for what connections need.
    await crowd(crew, pool, { path: pool.keeperPath }, Math.ceil(count / 10), async () => {});
    const before = await each(pool);
    let grown: Record<string, number> = {};
    tell(`edge: ${count} connections at the keeper`);
    const direct = await crowd(crew, pool, { path: pool.keeperPath }, count, async () => {
      await delay(SETTLE_MS * options.scale);
      const after = await each(pool);
      grown = Object.fromEntries(
        KINDS.map((kind) => [kind, ((after[kind] ?? 0) - (before[kind] ?? 0)) / 1_024 / count]),
      );
    });
    tell(`edge: ${throughHaproxy} connections at HAProxy`);
    const door = await crowd(crew, pool, { port: pool.port }, throughHaproxy, async () => {});
    return judge({ direct, door, grown, count, throughHaproxy });
  } finally {
    await pool.close();
  }
}

async function each(pool: BenchPool): Promise<Record<string, number>> {
  const all = KINDS.map(async (kind) => [kind, (await pool.usage(kind)).rssBytes] as const);
  return Object.fromEntries(await Promise.all(all));
}

interface Came extends Storm {
  /** Where the time of a client went. */
  readonly profile: string;
}

async function crowd(
  crew: Crew,
  pool: BenchPool,
  where: Where,
  count: number,
  meanwhile: () => Promise<void>,
): Promise<Came> {
  const miners = await crew.start(MINERS);
  const cpu = () =>
    Promise.all([
      ...STORM_KINDS.map(async (kind) => (await pool.usage(kind)).cpuUs),
      miners.usage().then((it) => it.cpuUs),
    ]);
  const before = await cpu();
  const storm = await miners.ask<Storm>("storm", { where, count });
  const after = await cpu();
  await meanwhile();
  await miners.ask("leave");
  await miners.end();
  await delay(Math.min(GONE_MS, 500 + count / 4)); // They are gone everywhere.
  const parts = [...STORM_KINDS, "clients"].map(
    (kind, i) => `${kind} ${Math.round(((after[i] ?? 0) - (before[i] ?? 0)) / count)}`,
  );
  return { ...storm, profile: `us of processor time a client: ${parts.join(", ")}` };
}

interface Found {
  readonly direct: Came;
  readonly door: Came;
  readonly grown: Readonly<Record<string, number>>;
  readonly count: number;
  readonly throughHaproxy: number;
}

function judge({ direct, door, grown, count, throughHaproxy }: Found) {
  const row = (what: string, n: number, { p50, p99, p999, ms }: Storm): Row => {
    return { what, n, p50, p99, p999, rate: n / (ms / 1_000) };
  };
  const kb = KINDS.map((kind) => grown[kind] ?? Number.NaN);
  const rows = [
    row(`storm of ${count} at the keeper`, count, direct),
    row(`storm of ${throughHaproxy} through HAProxy`, throughHaproxy, door),
  ];
  const sum = kb.reduce((total, it) => total + it, 0);
  const parts = KINDS.map((kind, i) => `${kind} ${kb[i]?.toFixed(1)} kB`).join(", ");
  const storm = { sense: "at most", limit: STORM_FLOOR_S, unit: "s" } as const;
  const floors: Floor[] = [
    { what: "memory of an idle connection", sense: "at most", limit: KB_FLOOR, found: sum, unit: "kB", profile: parts },
    { ...storm, what: `storm of ${count} at the keeper`, found: direct.ms / 1_000, profile: direct.profile },
    { ...storm, what: `storm of ${throughHaproxy} through HAProxy`, found: door.ms / 1_000, profile: door.profile },
    {
      what: "refused in the storms",
      sense: "at most",
      limit: 0,
      found: direct.refused + door.refused,
      unit: "clients",
    },
  ];
  const notes = [`An idle connection: ${parts}.`];
  const missing = [...direct.missing, ...door.missing];
  if (missing.length > 0) notes.push(`Clients without a job: ${missing.join("; ")}.`);
  if (throughHaproxy < count) {
    notes.push(`HAProxy needs two descriptors a client: this machine's limit lets it hold ${throughHaproxy}.`);
  }
  return { rows, floors, notes };
}
