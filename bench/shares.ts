// shares: how fast they are judged, and how fast they reach the log.
//
//   validation   lines (good 70 %, low, stale, duplicate 10 % each; mainnet-size jobs) through stratum's own parts, one process
//   end to end   miners -> HAProxy -> keeper, edge -> stratum -> reporter -> Redis log -> the answer `true`, the miners beside it
//
// End to end is a closed loop: the more shares are under way, the larger the batches and the less each costs. So it is measured at two
// loads. The floor is a throughput: it is judged at the better one, and both are told with the time that a share takes.

import { setTimeout as delay } from "node:timers/promises";
import { Crew, type Member } from "./kit/crew.js";
import { type Load, median } from "./kit/load.js";
import { type Benchmark, type Floor, percent, type Row, type RunOptions } from "./kit/report.js";
import type { Storm } from "./pool/miners.js";
import { BenchPool } from "./pool/pool.js";
import { type Judged, MIX } from "./shares/judge.js";

const SHA256D_FLOOR = 40_000;
const SCRYPT_PART = 0.95;
const END_TO_END_FLOOR = 15_000;
/** Lines of a round, for each 1,000 ms of `--ms`. */
const LINES_A_SECOND = { sha256d: 60_000, scrypt: 5_000 } as const;
const MINERS_COUNT = 200;
/** Shares under way. Ten and 25 a miner: with 32 the edge would not read from it for a while. */
const OUTSTANDING = [2_000, 5_000] as const;
/** Redis may pause for its disk while a round runs: what was answered from the reporter's own disk follows at once. */
const FLUSHED_MS = 5_000;
const LOOK_MS = 5;
/** Eight processes on two cores: their code is compiled for speed only after some seconds of work. */
const WARM_MS = 8_000;
/** A trial run, whose rounds are short, warms up as little. */
const WARM_ROUNDS = 8;
const KINDS = 10;

type Part = { readonly rows: Row[]; readonly floors: Floor[] };

export const shares: Benchmark = async (options) => {
  const crew = new Crew();
  try {
    const parts = [await validation(crew, "sha256d", options), await validation(crew, "scrypt", options)];
    await crew.close();
    parts.push(await endToEnd(crew, options));
    return {
      ...{ name: "shares", title: "Shares judged, and shares recorded", plots: [], notes: [] },
      rows: parts.flatMap(({ rows }) => rows),
      floors: parts.flatMap(({ floors }) => floors),
    };
  } finally {
    await crew.close();
  }
};

async function validation(crew: Crew, name: "sha256d" | "scrypt", options: RunOptions): Promise<Part> {
  const { rounds, ms, tell, signal } = options;
  const agent = await crew.start(new URL("./shares/judge.js", import.meta.url));
  await agent.ask("open", name);
  const n = Math.max(100, Math.round((LINES_A_SECOND[name] * ms) / 1_000));
  const found: Judged[] = [];
  const bare: Judged[] = [];
  for (let round = -1; round < rounds; round++) {
    tell(`shares: validation with ${name}, round ${round + 1} of ${rounds}`);
    signal.throwIfAborted();
    await agent.ask("prepare", n);
    const judged = await agent.ask<Judged>("run");
    mustBeRight(judged);
    const reference = name === "scrypt" ? [await agent.ask<Judged>("bare", n)] : [];
    if (round < 0) continue; // Warms up.
    found.push(judged);
    bare.push(...reference);
  }
  await agent.ask("prepare", n);
  const profile = spots(await agent.profile(() => agent.ask("run")));
  const rate = rateOf(found);
  const reference = bare.length > 0 ? rate / rateOf(bare) : undefined;
  const rows = [rowOf(`validation, ${name}`, found, reference)];
  if (bare.length > 0) rows.push(rowOf("bare crypto.scrypt", bare));
  const common = { what: `validation, ${name}`, sense: "at least", profile } as const;
  if (reference === undefined) return { rows, floors: [{ ...common, limit: SHA256D_FLOOR, found: rate, unit: "/s" }] };
  return { rows, floors: [{ ...common, limit: SCRYPT_PART, found: reference, unit: "x bare scrypt" }] };
}

const spots = (found: Awaited<ReturnType<Member["profile"]>>): string =>
  found
    .slice(0, 8)
    .map(({ where, part }) => `${where} ${percent(part)}`)
    .join(", ");

/** @throws when a line was answered otherwise than it must be. */
function mustBeRight({ n, answers }: Judged): void {
  for (const [kind, part] of Object.entries(MIX)) {
    const wanted = Math.floor(n / KINDS) * part;
    const got = answers[kind] ?? 0;
    if (Math.abs(got - wanted) > KINDS) throw new Error(`${got} of ${n} lines were answered as ${kind}`);
  }
}

const rateOf = (found: readonly Judged[]): number => median(found.map(({ n, seconds }) => n / seconds));

function rowOf(what: string, found: readonly Judged[], ratio?: number): Row {
  return {
    what,
    n: found.reduce((sum, { n }) => sum + n, 0),
    rate: rateOf(found),
    cpuUs: median(found.map(({ cpuUs, n }) => cpuUs / n)),
    memoryMb: median(found.map(({ rssBytes }) => rssBytes / 2 ** 20)),
    ...(ratio === undefined ? {} : { ratio, to: "bare scrypt" }),
  };
}

const POOL_KINDS = ["haproxy", "keeper", "edge", "stratum", "reporter"] as const;

async function endToEnd(crew: Crew, options: RunOptions): Promise<Part> {
  const { ms, signal, scale } = options;
  const loads = OUTSTANDING.map((outstanding) => Math.max(MINERS_COUNT, Math.round(outstanding * scale)));
  const most = Math.max(...loads);
  const pool = await BenchPool.open({ clients: MINERS_COUNT, transactions: 200, signal });
  try {
    const miners = await crew.start(new URL("./pool/miners.js", import.meta.url));
    const storm = await miners.ask<Storm>("storm", { where: { port: pool.port }, count: MINERS_COUNT });
    if (storm.refused > 0) throw new Error(`${storm.refused} miners got no job`);
    const run: Running = { pool, miners, answered: 0 };
    await submit(run, { outstanding: most, ms: Math.min(WARM_ROUNDS * ms, WARM_MS) });
    const rows: Row[] = [];
    const floors: Floor[] = [];
    for (const count of [2, 1]) {
      const found = [];
      for (const outstanding of loads) found.push(await recording(run, count, outstanding, options));
      rows.push(...found);
      const what = `end to end into the log, ${count} stratum`;
      const profile = await whereItGoes(run, { outstanding: most, ms });
      const rate = Math.max(...found.map((row) => row.rate ?? Number.NaN));
      floors.push({ what, sense: "at least", unit: "shares/s", limit: END_TO_END_FLOOR, found: rate, profile });
      if (count === 2) await pool.retire("stratum"); // Its miners stay; the other one serves them all.
    }
    return { rows, floors };
  } finally {
    await pool.close();
  }
}

interface Running {
  readonly pool: BenchPool;
  readonly miners: Member;
  /** `true`, since the pool began. */
  answered: number;
}

async function recording(
  run: Running,
  count: number,
  outstanding: number,
  { rounds, ms, signal, tell }: RunOptions,
): Promise<Row> {
  const what = `end to end, recorded, ${count} stratum, ${outstanding} under way`;
  const found: (Load & { readonly poolCpuUs: number })[] = [];
  for (let round = 0; round < rounds; round++) {
    tell(`shares: ${what}, round ${round + 1} of ${rounds}`);
    signal.throwIfAborted();
    const before = await run.pool.usage(...POOL_KINDS);
    const load = await submit(run, { outstanding, ms: 2 * ms });
    found.push({ ...load, poolCpuUs: (await run.pool.usage(...POOL_KINDS)).cpuUs - before.cpuUs });
  }
  const of = (figure: (it: (typeof found)[number]) => number) => median(found.map(figure));
  return {
    ...{ what: `${what} (CPU: of the pool)`, n: found.reduce((sum, { n }) => sum + n, 0), rate: of((it) => it.rate) },
    ...{ p50: of((it) => it.p50), p99: of((it) => it.p99), p999: of((it) => it.p999) },
    cpuUs: of((it) => it.poolCpuUs / it.n),
  };
}

/** The rate is that of the log: over when the last share stands in it. @throws when it has other shares than were answered. */
async function submit(run: Running, asked: { readonly outstanding: number; readonly ms: number }): Promise<Load> {
  const load = await run.miners.ask<Load>("submit", asked);
  const answeredMs = performance.now();
  run.answered += load.n;
  let entries = await recorded(run.pool);
  while (entries < run.answered && performance.now() - answeredMs < FLUSHED_MS) {
    await delay(LOOK_MS);
    entries = await recorded(run.pool);
  }
  if (entries !== run.answered)
    throw new Error(`${run.answered} shares were answered true, ${entries} stand in the log`);
  const seconds = load.seconds + (performance.now() - answeredMs) / 1_000;
  return { ...load, seconds, rate: load.n / seconds };
}

/** Redis' own count of what was ever added to the log. */
async function recorded(pool: BenchPool): Promise<number> {
  const reply = await pool.house.redis.shares.xinfo("STREAM", "hf:{bench}:shares").catch(() => []);
  const at = Array.isArray(reply) ? reply.indexOf("entries-added") : -1;
  return Array.isArray(reply) && at >= 0 ? Number(reply[at + 1]) : 0;
}

/** Processor time a share, by process. */
async function whereItGoes(run: Running, load: { readonly outstanding: number; readonly ms: number }): Promise<string> {
  const { pool } = run;
  const each = async () =>
    Object.fromEntries(
      await Promise.all(POOL_KINDS.map(async (kind) => [kind, (await pool.usage(kind)).cpuUs] as const)),
    );
  const [before, redisBefore] = [await each(), await redisCpuUs(pool)];
  const { n, cpuUs } = await submit(run, load);
  const [after, redisAfter] = [await each(), await redisCpuUs(pool)];
  const us = POOL_KINDS.map((kind) => `${kind} ${(((after[kind] ?? 0) - (before[kind] ?? 0)) / n).toFixed(0)}`);
  return `us of processor time a share: ${us.join(", ")}, redis ${((redisAfter - redisBefore) / n).toFixed(0)}, miners ${(cpuUs / n).toFixed(0)}`;
}

async function redisCpuUs(pool: BenchPool): Promise<number> {
  const info = await pool.house.redis.shares.info("cpu");
  const seconds = [...info.matchAll(/^used_cpu_(?:sys|user):([\d.]+)/gm)].reduce((sum, [, it]) => sum + Number(it), 0);
  return seconds * 1e6;
}
