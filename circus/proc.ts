// What Linux says about processes: /proc, read when asked, nothing kept.
//
//   P1. A process is named by its pid AND its start time (ticks since boot): a pid alone may have gone to another process.
//   P2. A process that ends while it is read is `undefined`, never an exception.

import { readdirSync, readFileSync } from "node:fs";

/** Linux's USER_HZ, the unit of times in /proc, is 100 on every architecture Node runs on. */
export const TICKS_PER_SECOND = 100;

export interface ProcStat {
  readonly pid: number;
  readonly command: string;
  /** R, S, D, Z (zombie), T, ... */
  readonly state: string;
  readonly parent: number;
  readonly group: number;
  readonly session: number;
  /** User plus system time, ticks. */
  readonly cpuTicks: number;
  readonly nice: number;
  /** Ticks since boot. */
  readonly startTicks: number;
}

/** Fields are numbered as in proc(5); the command may hold spaces and parentheses, hence the last `)`. */
export function readStat(pid: number): ProcStat | undefined {
  const text = readText(`/proc/${pid}/stat`);
  if (text === undefined) return undefined;
  const end = text.lastIndexOf(")");
  const fields = text.slice(end + 2).split(" ");
  const field = (number: number): number => Number(fields[number - 3]);
  return {
    pid,
    command: text.slice(text.indexOf("(") + 1, end),
    state: fields[0] ?? "",
    parent: field(4),
    group: field(5),
    session: field(6),
    cpuTicks: field(14) + field(15),
    nice: field(19),
    startTicks: field(22),
  };
}

function readText(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined; // P2
  }
}

/** Every process whose /proc entry this user sees. One read per process of the host: not for a hot path. */
export function allStats(): ProcStat[] {
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  return pids.map((pid) => readStat(Number(pid))).filter((stat) => stat !== undefined);
}

/** Live members of a process group. Zombies are dead: only their parent's reading of the exit code is missing. */
export function groupMembers(group: number): ProcStat[] {
  if (!groupExists(group)) return []; // One system call, instead of a walk over /proc, in the usual case.
  return allStats().filter((stat) => stat.group === group && stat.state !== "Z");
}

function groupExists(group: number): boolean {
  try {
    process.kill(-group, 0);
    return true;
  } catch (error) {
    return isErrno(error, "EPERM"); // It exists, and is not ours to signal.
  }
}

export function isErrno(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}

/** Children, their children, and so on; nearest first. */
export function descendants(pid: number, stats: readonly ProcStat[] = allStats()): ProcStat[] {
  const direct = stats.filter((stat) => stat.parent === pid);
  return [...direct, ...direct.flatMap((child) => descendants(child.pid, stats))];
}

/** A shell in between, or two; more is a loop of readings that do not fit together. */
const GENERATIONS_MAX = 16;

/** Whether the process is that one, or one that it started, directly or not. */
export function descendsFrom(pid: number, ancestor: number): boolean {
  let at = readStat(pid);
  for (let i = 0; at !== undefined && i < GENERATIONS_MAX; i++) {
    if (at.pid === ancestor) return true;
    at = at.parent > 0 ? readStat(at.parent) : undefined;
  }
  return false;
}

/** Resident and virtual memory, bytes. */
export function readMemory(pid: number): { readonly resident: number; readonly virtual: number } | undefined {
  const text = readText(`/proc/${pid}/status`);
  if (text === undefined) return undefined;
  const kilobytes = (name: string): number =>
    Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(text)?.[1] ?? 0) * 1_024;
  return { resident: kilobytes("VmRSS"), virtual: kilobytes("VmSize") };
}

export function readUserId(pid: number): number | undefined {
  const id = /^Uid:\s+(\d+)/m.exec(readText(`/proc/${pid}/status`) ?? "")?.[1];
  return id === undefined ? undefined : Number(id);
}

/** The words the process was started with. */
export function readCommandLine(pid: number): string[] {
  return (readText(`/proc/${pid}/cmdline`) ?? "").split("\0").filter((word) => word !== "");
}

/** True when the process was started with `entry` ("NAME=value") in its environment. */
export function startedWith(pid: number, entry: string): boolean {
  return (readText(`/proc/${pid}/environ`) ?? "").split("\0").includes(entry);
}

/** Changes with every boot, so that start times of another boot are never compared. */
export function bootId(): string {
  return readText("/proc/sys/kernel/random/boot_id")?.trim() ?? "";
}

/** Seconds since the epoch. */
export function bootTime(): number {
  return Number(/^btime (\d+)/m.exec(readText("/proc/stat") ?? "")?.[1] ?? 0);
}

export function totalMemory(): number {
  return Number(/^MemTotal:\s+(\d+)/m.exec(readText("/proc/meminfo") ?? "")?.[1] ?? 0) * 1_024;
}

/** Name -> id by /etc/passwd; a number stands for itself. */
export function userId(user: string): number | undefined {
  if (/^\d+$/.test(user)) return Number(user);
  const row = passwd().find((fields) => fields[0] === user);
  return row?.[2] === undefined ? undefined : Number(row[2]);
}

export function userName(id: number): string {
  return passwd().find((fields) => fields[2] === String(id))?.[0] ?? String(id);
}

function passwd(): string[][] {
  return (readText("/etc/passwd") ?? "").split("\n").map((line) => line.split(":"));
}
