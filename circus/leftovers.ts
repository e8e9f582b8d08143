// What a manager that was killed left running: found, and ended.
//
//   R1. A recorded process is a leftover only if its pid AND its start time AND the boot are those on record; so is then its group.
//   R2. Whatever carries the dead manager's mark in its environment is one too, wherever it is in the tree: successors that
//       started themselves, a process between its start and its record, members of a group whose leader has died.
//   R3. We ourselves and whom we descend from are none. Its start time is looked at again right before each signal.

import { allStats, type ProcStat, readStat, startedWith } from "./proc.js";

/** The variable that every child and its children carry; its value is the ledger's mark. */
export const MARK_VARIABLE = "HEADFRAME_CIRCUS";

export interface Leftover {
  readonly watcher: string;
  readonly pid: number;
}

export interface Recorded {
  readonly watcher: string;
  readonly pid: number;
  readonly startTicks: number;
}

/** A killed process is gone in milliseconds, unless the disk holds it. */
const KILLED_WITHIN_MS = 2_000;
const LOOK_EVERY_MS = 20;

/** @param gracefulMs Between SIGTERM and SIGKILL. */
export async function endLeftovers(
  { mark, children }: { readonly mark: string; readonly children: readonly Recorded[] },
  gracefulMs: number,
): Promise<Leftover[]> {
  const ended = new Map<number, Leftover>();
  const untilMs = Date.now() + gracefulMs;
  // What is told to end may start another one before it does (a keeper's upgrade): looked for again until nothing is found.
  for (let signal: NodeJS.Signals = "SIGTERM"; ; signal = Date.now() < untilMs ? "SIGTERM" : "SIGKILL") {
    const found = find(mark, children);
    if (found.length === 0) break;
    const fresh = found.filter(({ stat }) => signal === "SIGKILL" || !ended.has(stat.pid));
    signalAll(
      fresh.map(({ stat }) => stat),
      signal,
    );
    for (const { watcher, stat } of fresh) ended.set(stat.pid, { watcher, pid: stat.pid });
    if (Date.now() > untilMs + KILLED_WITHIN_MS) break;
    await untilGone(
      found.map(({ stat }) => stat),
      Math.max(LOOK_EVERY_MS, signal === "SIGTERM" ? untilMs - Date.now() : LOOK_EVERY_MS),
    );
  }
  return [...ended.values()];
}

interface Found {
  readonly watcher: string;
  readonly stat: ProcStat;
}

function find(mark: string, children: readonly Recorded[]): Found[] {
  const all = allStats();
  const byPid = new Map(all.map((stat) => [stat.pid, stat]));
  const spared = ancestors(byPid);
  const groups = new Map<number, Recorded>();
  for (const child of children) if (byPid.get(child.pid)?.startTicks === child.startTicks) groups.set(child.pid, child);
  const names = new Map(children.map(({ pid, watcher }) => [pid, watcher]));
  return all.flatMap((stat) => {
    if (stat.state === "Z" || spared.has(stat.pid)) return [];
    const child = groups.get(stat.group); // R1
    if (child !== undefined) return [{ watcher: child.watcher, stat }];
    if (!startedWith(stat.pid, `${MARK_VARIABLE}=${mark}`)) return []; // R2
    return [{ watcher: names.get(stat.group) ?? stat.command, stat }];
  });
}

/** R3 */
function ancestors(byPid: ReadonlyMap<number, ProcStat>): ReadonlySet<number> {
  const found = new Set<number>();
  for (let pid = process.pid; pid > 0 && !found.has(pid); pid = byPid.get(pid)?.parent ?? 0) found.add(pid);
  return found;
}

function lives({ pid, startTicks }: ProcStat): boolean {
  const now = readStat(pid);
  return now !== undefined && now.startTicks === startTicks && now.state !== "Z";
}

function signalAll(stats: readonly ProcStat[], signal: NodeJS.Signals): void {
  for (const stat of stats.filter(lives)) {
    try {
      process.kill(stat.pid, signal);
    } catch {
      // It ended between the look and the signal, or belongs to another user: nothing to be done.
    }
  }
}

async function untilGone(stats: readonly ProcStat[], withinMs: number): Promise<void> {
  const deadlineMs = Date.now() + withinMs;
  while (stats.some(lives) && Date.now() < deadlineMs) {
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
}
