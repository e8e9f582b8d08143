// One process as Circus's `stats` command shows it: memory, CPU, age, children.
//
//   /proc -> proc.ts -> ProcessInfo -> `stats`, `dstats`, stats PUB, the live screen
//
// CPU is a share of one core since the same reader last looked; at the first look, since the process began.

import path from "node:path";
import {
  allStats,
  bootTime,
  type ProcStat,
  readCommandLine,
  readMemory,
  readStat,
  readUserId,
  TICKS_PER_SECOND,
  totalMemory,
  userName,
} from "./proc.js";

/** Names and forms are Circus's. */
export interface ProcessInfo {
  /** Resident memory, like "43M". */
  readonly mem_info1: string;
  /** Virtual memory. */
  readonly mem_info2: string;
  /** Percent of one core. */
  readonly cpu: number;
  /** Percent of the host's memory. */
  readonly mem: number;
  /** CPU time spent, "minutes:seconds.hundredths". */
  readonly ctime: string;
  readonly pid: number;
  readonly username: string;
  readonly nice: number;
  /** Seconds since the epoch. */
  readonly create_time: number;
  /** Seconds. */
  readonly age: number;
  /** Base name of the program. */
  readonly cmdline: string;
  readonly children: readonly ProcessInfo[];
}

interface Sample {
  readonly startTicks: number;
  readonly cpuTicks: number;
  readonly atMs: number;
  readonly cpu: number;
}

/** Two looks closer together than this show the earlier figure: a tick is 10 ms, so the quotient would be noise. */
const SAMPLE_MIN_MS = 200;

/** Processes that are gone leave their samples behind until then: a few hundred kB at most. */
const SAMPLES_MAX = 4_096;

/** Remembers each process's last sample; one reader per consumer, so that they don't shorten each other's interval. */
export class InfoReader {
  #samples = new Map<number, Sample>();
  readonly #bootTime = bootTime();
  readonly #totalMemory = totalMemory();

  /** @param withChildren Includes direct children, each with theirs: a walk over all of /proc. */
  read(pid: number, withChildren = false): ProcessInfo | undefined {
    return this.#read(pid, withChildren ? allStats() : []);
  }

  /** Forgets processes that are gone. Call now and then with those that live. */
  keepOnly(pids: ReadonlySet<number>): void {
    for (const pid of this.#samples.keys()) if (!pids.has(pid)) this.#samples.delete(pid);
  }

  #read(pid: number, stats: readonly ProcStat[]): ProcessInfo | undefined {
    const stat = readStat(pid);
    const memory = readMemory(pid);
    if (stat === undefined || memory === undefined) return undefined;
    const created = this.#bootTime + stat.startTicks / TICKS_PER_SECOND;
    const children = stats.filter((other) => other.parent === pid);
    return {
      mem_info1: human(memory.resident),
      mem_info2: human(memory.virtual),
      cpu: this.#cpu(stat, created),
      mem: Math.round((memory.resident / this.#totalMemory) * 1_000) / 10,
      ctime: clock(stat.cpuTicks / TICKS_PER_SECOND),
      pid,
      username: userName(readUserId(pid) ?? -1),
      nice: stat.nice,
      create_time: created,
      age: Math.max(0, Date.now() / 1_000 - created),
      cmdline: path.basename(readCommandLine(pid)[0] ?? stat.command),
      children: children.map((child) => this.#read(child.pid, stats)).filter((info) => info !== undefined),
    };
  }

  #cpu(stat: ProcStat, created: number): number {
    const atMs = Date.now();
    const known = this.#samples.get(stat.pid);
    const last =
      known?.startTicks === stat.startTicks
        ? known
        : { startTicks: stat.startTicks, cpuTicks: 0, atMs: created * 1_000, cpu: 0 };
    const elapsedMs = atMs - last.atMs;
    if (last === known && elapsedMs < SAMPLE_MIN_MS) return last.cpu;
    const busyMs = ((stat.cpuTicks - last.cpuTicks) * 1_000) / TICKS_PER_SECOND;
    if (this.#samples.size >= SAMPLES_MAX) this.#samples.clear();
    const cpu = Math.max(0, Math.round((busyMs / Math.max(elapsedMs, SAMPLE_MIN_MS)) * 1_000) / 10);
    this.#samples.set(stat.pid, { startTicks: stat.startTicks, cpuTicks: stat.cpuTicks, atMs, cpu });
    return cpu;
  }
}

/** 45_000_000 -> "42M": whole units, rounded down, as Circus shows them. */
export function human(bytes: number): string {
  const units = ["K", "M", "G", "T"];
  for (let i = units.length; i > 0; i--) {
    if (bytes >= 1_024 ** i) return `${Math.floor(bytes / 1_024 ** i)}${units[i - 1]}`;
  }
  return `${bytes}B`;
}

function clock(seconds: number): string {
  const whole = Math.floor(seconds);
  const hundredths = String(Math.floor((seconds - whole) * 100)).padStart(2, "0");
  return `${Math.floor(whole / 60) % 60}:${String(whole % 60).padStart(2, "0")}.${hundredths}`;
}
