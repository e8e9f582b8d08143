// One run of the fuzzer: a whole pool, honest miners who must not notice, and strangers who send nonsense beside them.
//
//   Stage.open -> Crowd.open (honest) -> all mine -> Flood.open -> seconds, memory sampled -> Flood.close -> answers -> judgement
//
//   F1. A process that ends before the run does is a crash.
//   F2. An honest miner is disturbed when any promise to it breaks: the ledger of the breaking machine judges.

import { readFile } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { until } from "../chaos/acts/index.js";
import { Crowd } from "../chaos/crowd.js";
import { Ledger } from "../chaos/ledger.js";
import { Stage } from "../chaos/stage.js";
import { Flood } from "./flood.js";
import { type Growth, growthOf, type Sample } from "./memory.js";
import type { StrangersData } from "./strangers.js";

export interface FuzzOptions {
  readonly seed: number;
  readonly seconds: number;
  /** Connections of strangers. */
  readonly strangers: number;
  readonly honest: number;
  readonly patience: number;
  readonly signal: AbortSignal;
  tell(text: string): void;
}

export interface Fuzzed {
  readonly seed: number;
  readonly seconds: number;
  readonly lines: number;
  /** Of these, and of the honest ones, those that the backends say they have read. */
  readonly linesRead: number;
  readonly linesPerSecond: number;
  readonly connected: number;
  readonly closed: number;
  readonly heardBytes: number;
  /** What ended unasked. */
  readonly crashes: readonly string[];
  readonly honest: number;
  /** Honest miners to whom a promise broke, and how. */
  readonly disturbed: number;
  readonly broken: Ledger["broken"];
  readonly stallMaxMs: number;
  /** Processor time by service, in microseconds a line that was read. */
  readonly cpuUs: Readonly<Record<string, number>>;
  readonly memory: readonly ({ readonly process: string } & Growth)[];
  readonly logs: string;
}

const THREADS = 2;
const EVERY_MS = 1_000;
const READY_MS = 60_000;
const ANSWERS_MS = 30_000;
const LIMIT_MS = 180_000;
const SAMPLE_MS = 1_000;
const PAGE_BYTES = 4_096;
/** Strangers stay, whatever they say: the door is tested, not the ban. */
const PATIENT_STRATUM = {
  garbledLinesMax: 1_000_000_000,
  authorizeTimeoutMs: 3_600_000,
  subscribeTimeoutMs: 3_600_000,
};

export async function fuzz(options: FuzzOptions): Promise<Fuzzed> {
  const { seconds, honest, strangers, tell } = options;
  const signal = AbortSignal.any([options.signal, AbortSignal.timeout(seconds * 1_000 + LIMIT_MS)]);
  const ledger = new Ledger(options.patience);
  const crashes: string[] = [];
  let over = false;
  const onTold = (text: string) => {
    if (!over && / ended /.test(text)) crashes.push(text); // F1
    tell(text);
  };
  const shares = Math.ceil((honest * (seconds * 1_000 + LIMIT_MS)) / EVERY_MS);
  const stage = await Stage.open({
    clients: honest + strangers,
    shares,
    stratum: PATIENT_STRATUM,
    wide: false,
    signal,
    onTold,
  });
  let crowd: Crowd | undefined;
  let flood: Flood | undefined;
  try {
    crowd = Crowd.open({ port: stage.port, clients: honest, everyMs: EVERY_MS, see: (seen) => ledger.see(seen) });
    const miners = crowd;
    await until(`all ${honest} honest miners mine`, signal, () => miners.mining === honest, READY_MS);
    tell(`${honest} honest miners mine; ${strangers} strangers come`);
    flood = Flood.open(threadsOf(options, stage.port));
    const from = performance.now();
    const cpuBefore = await cpuByService(stage);
    const samples = await watch(stage, flood, seconds, signal, tell);
    await flood.close();
    const { count } = flood;
    const cpu = await cpuByService(stage);
    // A line that is given to another backend is read twice there; one that waits at the edge, only once so far.
    const linesRead = Math.min(stage.metrics.count("edge.lines"), stage.metrics.count("stratum.lines"));
    const tookS = (performance.now() - from) / 1_000;
    crowd.pause();
    await until("every honest question has its answer", signal, () => miners.waiting === 0, ANSWERS_MS).catch(() => {
      signal.throwIfAborted(); // Else the silence shows in the ledger.
    });
    over = true;
    await crowd.close();
    crowd = undefined;
    const disturbed = new Set(ledger.broken.map(({ client }) => client)).size;
    return {
      ...{
        seed: options.seed,
        seconds,
        ...count,
        linesRead,
        linesPerSecond: Math.round(linesRead / tookS),
        cpuUs: Object.fromEntries(
          Object.entries(cpu).map(([name, us]) => [
            name,
            round((us - (cpuBefore[name] ?? 0)) / Math.max(1, linesRead)),
          ]),
        ),
        crashes,
        honest,
      },
      ...{ disturbed, broken: ledger.broken, stallMaxMs: ledger.stalls.all.max, logs: stage.run.logs },
      memory: [...samples].flatMap(([process, of]) => {
        const growth = growthOf(of);
        return growth ? [{ process, ...growth }] : [];
      }),
    };
  } finally {
    over = true;
    await flood?.close();
    await crowd?.close();
    await stage.close();
  }
}

function threadsOf({ seed, strangers }: FuzzOptions, port: number): StrangersData[] {
  const connections = Math.ceil(strangers / THREADS);
  return Array.from({ length: THREADS }, (_, i) => ({ port, connections, seed: seed + i, from: `127.0.0.${i + 2}` }));
}

/** Memory by process, for as long as the run lasts. */
async function watch(
  stage: Stage,
  flood: Flood,
  seconds: number,
  signal: AbortSignal,
  tell: FuzzOptions["tell"],
): Promise<Map<string, Sample[]>> {
  const samples = new Map<string, Sample[]>();
  const end = performance.now() + seconds * 1_000;
  for (let round = 1; performance.now() < end; round++) {
    await delay(SAMPLE_MS, undefined, { signal });
    const edge = await stage.edge();
    const watched = stage.ready("stratum").map((pid) => ({ name: "stratum", pid }));
    if (edge !== undefined) watched.unshift({ name: "edge", pid: edge });
    for (const { name, pid } of watched) {
      const bytes = await residentBytes(pid);
      if (bytes === undefined) continue;
      const key = `${name} ${pid}`;
      samples.set(key, [...(samples.get(key) ?? []), { atMs: performance.now(), bytes }]);
    }
    if (round % 10 === 0) tell(`${flood.count.lines} lines`);
  }
  return samples;
}

/** Undefined: it ended. */
async function residentBytes(pid: number): Promise<number | undefined> {
  const statm = await readFile(`/proc/${pid}/statm`, "utf8").catch(() => undefined);
  return statm === undefined ? undefined : Number(statm.split(" ")[1]) * PAGE_BYTES;
}

/** Of /proc/PID/stat. */
const TICK_US = 10_000;
const [USER_AT, SYSTEM_AT] = [11, 12];

/** Processor time so far, in microseconds. */
async function cpuByService(stage: Stage): Promise<Record<string, number>> {
  const edge = await stage.edge();
  const pids = {
    edge: edge === undefined ? [] : [edge],
    stratum: stage.ready("stratum"),
    haproxy: await workers(stage),
  };
  const entries = Object.entries(pids).map(async ([name, all]) => {
    const each = await Promise.all(all.map(cpuUs));
    return [name, each.reduce((sum, us) => sum + us, 0)] as const;
  });
  return Object.fromEntries(await Promise.all(entries));
}

/** HAProxy's master has them as children. */
async function workers(stage: Stage): Promise<number[]> {
  const [master] = stage.ready("haproxy");
  const children = await readFile(`/proc/${master}/task/${master}/children`, "utf8").catch(() => "");
  return children.split(" ").filter(Boolean).map(Number);
}

async function cpuUs(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[USER_AT] ?? 0) + Number(fields[SYSTEM_AT] ?? 0)) * TICK_US;
}

const round = (value: number): number => Math.round(value * 10) / 10;
