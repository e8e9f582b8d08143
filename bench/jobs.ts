// jobs: from a new tip's template at the jobmanager to the last byte in the last of 10,000 client sockets.
//
//   daemon --template--> jobmanager --push--> stratum x 2 --broadcast--> edge --write x 10,000--> [HAProxy] --> miners
//
// The fan-out is compared with a bare loop in one process that writes the same bytes to as many sockets of the same kind. Times are
// read on one clock, the machine's.

import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { Crew, type Member } from "./kit/crew.js";
import { median } from "./kit/load.js";
import type { Benchmark, Row, RunOptions } from "./kit/report.js";
import type { Heard, Storm, Where } from "./pool/miners.js";
import { BenchPool } from "./pool/pool.js";

const CLIENTS = 10_000;
/** Of a template: a busy block of Litecoin, and one of Bitcoin. */
const SIZES = [200, 3_000] as const;
const FANOUT_FACTOR = 1.3;
const FIRST_MS = 10;
/** A tip that comes while the one before is still being told would measure both. */
const REST_MS = 300;
const LONG_POLL_MS = 5_000;
/** Clients whose leaving the pool has worked off in a millisecond. */
const GONE_PER_MS = 4;
const TIPS_A_ROUND = 4;
const TIP_KINDS = ["haproxy", "edge", "stratum", "jobmanager"] as const;
const MINERS = new URL("./pool/miners.js", import.meta.url);

interface Told extends Heard {
  /** From the template's last byte. */
  readonly toFirstMs: number;
  readonly toLastMs: number;
}

export const jobs: Benchmark = async (options) => {
  const clients = Math.round(CLIENTS * options.scale);
  const pool = await BenchPool.open({ clients, transactions: SIZES[0], signal: options.signal });
  const crew = new Crew();
  try {
    const found = new Map<string, Told[]>();
    const profiles: string[] = [];
    const throughHaproxy = Math.min(clients, pool.haproxyMax);
    for (const size of SIZES) {
      pool.daemon.transactions = size;
      const { told, profile } = await tellAll(pool, crew, { path: pool.keeperPath }, clients, options);
      profiles.push(profile);
      found.set(`keeper to last of ${clients} sockets, ${size} transactions`, told);
    }
    pool.daemon.transactions = SIZES[0];
    const { told: door } = await tellAll(pool, crew, { port: pool.port }, throughHaproxy, options);
    found.set(`with HAProxy, ${throughHaproxy} sockets, ${SIZES[0]} transactions`, door);
    const [own = []] = found.values();
    const bare = await bareLoop(crew, clients, own[0]?.bytes ?? 0, options);
    return {
      ...{ name: "jobs", title: "A new tip, from its template to every miner" },
      ...judge(found, bare, profiles[0] ?? ""),
      ...{ plots: [], notes: [] },
    };
  } finally {
    await crew.close();
    await pool.close();
  }
};

async function tellAll(
  pool: BenchPool,
  crew: Crew,
  where: Where,
  count: number,
  { rounds, tell, signal }: RunOptions,
): Promise<{ told: Told[]; profile: string }> {
  tell(`jobs: ${count} miners come`);
  const miners = await crew.start(MINERS);
  const storm = await miners.ask<Storm>("storm", { where, count });
  if (storm.refused > 0) throw new Error(`${storm.refused} of ${count} miners got no job`);
  const told: Told[] = [];
  const cpu = () =>
    Promise.all([
      ...TIP_KINDS.map(async (kind) => (await pool.usage(kind)).cpuUs),
      miners.usage().then((it) => it.cpuUs),
    ]);
  const before = await cpu();
  for (let tip = 0; tip < rounds * TIPS_A_ROUND; tip++) {
    signal.throwIfAborted();
    await delay(REST_MS);
    told.push(await oneTip(pool, miners));
  }
  const after = await cpu();
  const ms = (i: number) => ((after[i] ?? 0) - (before[i] ?? 0)) / told.length / 1_000;
  const parts = [...TIP_KINDS, "clients"].map((kind, i) => `${kind} ${ms(i).toFixed(1)}`);
  await miners.ask("leave");
  await miners.end();
  await delay(REST_MS + count / GONE_PER_MS); // They are gone everywhere before the next crowd comes.
  return { told, profile: `ms of processor time a tip: ${parts.join(", ")}` };
}

async function oneTip(pool: BenchPool, miners: Member): Promise<Told> {
  const untilMs = performance.now() + LONG_POLL_MS;
  while (pool.daemon.waiting === 0 && performance.now() < untilMs) await delay(5);
  const hearing = miners.ask<Heard>("hear");
  await miners.usage(); // It listens.
  const arrivedMs = await pool.daemon.advance();
  const heard = await hearing;
  return { ...heard, toFirstMs: heard.firstMs - arrivedMs, toLastMs: heard.lastMs - arrivedMs };
}

async function bareLoop(crew: Crew, count: number, bytes: number, { rounds, tell }: RunOptions): Promise<Heard[]> {
  tell(`jobs: the bare loop, ${count} sockets`);
  const [server, miners] = [await crew.start(MINERS), await crew.start(MINERS)];
  const path = join(tmpdir(), `headframe-bench-${process.pid}.sock`);
  await server.ask("serve", path);
  await miners.ask("attend", { path, count });
  while ((await server.ask<number>("listening")) < count) await delay(10);
  const all: Heard[] = [];
  for (let i = 0; i < rounds * TIPS_A_ROUND; i++) {
    await delay(REST_MS);
    const hearing = miners.ask<Heard>("hear");
    await miners.usage();
    await server.ask("shout", bytes);
    all.push(await hearing);
  }
  await Promise.all([server.end(), miners.end()]);
  return all;
}

function judge(found: ReadonlyMap<string, readonly Told[]>, bare: readonly Heard[], profile: string) {
  const spread = (all: readonly Heard[]) => median(all.map(({ firstMs, lastMs }) => lastMs - firstMs));
  const rows: Row[] = [];
  for (const [what, told] of found) {
    const n = told.length;
    rows.push({ what: `${what}: template to first`, n, ...ofTips(told.map(({ toFirstMs }) => toFirstMs)) });
    rows.push({ what: `${what}: template to last`, n, ...ofTips(told.map(({ toLastMs }) => toLastMs)) });
    const fanout = {
      ...ofTips(told.map(({ firstMs, lastMs }) => lastMs - firstMs)),
      ratio: spread(told) / spread(bare),
    };
    rows.push({ what: `${what}: first to last`, n, ...fanout, to: "bare loop's time" });
  }
  rows.push({ what: "bare loop: first to last", n: bare.length, ...ofTips(bare.map((it) => it.lastMs - it.firstMs)) });
  const [own = []] = found.values();
  const toFirst = ofTips(own.map(({ toFirstMs }) => toFirstMs));
  const floors = [
    {
      what: "fan-out, HAProxy excluded",
      sense: "at most",
      limit: FANOUT_FACTOR,
      found: spread(own) / spread(bare),
      unit: "x bare loop",
      profile,
    },
    {
      what: "template to first miner, p99",
      sense: "at most",
      limit: FIRST_MS,
      found: toFirst.p99 / 1_000,
      unit: "ms",
      profile,
    },
  ] as const;
  return { rows, floors };
}

/** Few tips: the highest quantile is the slowest one. @returns microseconds. */
function ofTips(ms: readonly number[]): { p50: number; p99: number } {
  return { p50: 1_000 * median(ms), p99: 1_000 * Math.max(...ms) };
}
