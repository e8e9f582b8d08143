// circus.pids: what a manager has running, on disk, so that the next manager can end what a killed one left behind.
//
//   spawn, reap -> Ledger (rewritten whole, by rename) ... kill -9 of the manager ... next start -> endLeftovers -> fresh ledger
//
//   R1. A leftover is ended only if its pid AND its start time AND the boot are those on record.
//   R2. A member of a recorded group whose leader has died is ended only if its own environment carries the dead
//       manager's mark, and its start time is looked at again right before each signal.
//   R3. A second manager on the same run directory is refused while the first one lives.
//   R4. The file is complete whenever one looks: it is written next to its place and renamed.

import { randomUUID } from "node:crypto";
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { z } from "zod";
import { CircusError } from "./errors.js";
import { allStats, bootId, type ProcStat, readStat, startedWith } from "./proc.js";

const identity = z.object({ pid: z.number().int().positive(), startTicks: z.number().nonnegative() });
const record = z.object({
  boot: z.string(),
  mark: z.string(),
  manager: identity,
  children: z.array(identity.extend({ watcher: z.string() })).max(10_000),
});
type Record_ = z.output<typeof record>;

/** The variable that every child and its children carry; its value is the ledger's mark. */
export const MARK_VARIABLE = "HEADFRAME_CIRCUS";

export interface Leftover {
  readonly watcher: string;
  readonly pid: number;
}

export class Ledger {
  /** Random, one for each run of a manager. */
  readonly mark = randomUUID();
  readonly #children = new Map<number, Record_["children"][number]>();

  private constructor(private readonly file: string) {}

  /**
   * Ends leftovers of an earlier manager, then begins a fresh ledger.
   *
   * @param gracefulMs Between SIGTERM and SIGKILL for leftovers.
   * @throws {CircusError} TAKEN while the earlier manager lives (R3).
   */
  static async open(runDirectory: string, gracefulMs: number): Promise<{ ledger: Ledger; ended: Leftover[] }> {
    mkdirSync(runDirectory, { recursive: true, mode: 0o700 });
    const file = path.join(runDirectory, "circus.pids");
    const earlier = readRecord(file);
    if (earlier !== undefined && earlier.boot === bootId() && lives(earlier.manager)) {
      throw new CircusError(
        "TAKEN",
        `${runDirectory} belongs to a running manager, pid ${earlier.manager.pid}; stop it first`,
      );
    }
    const ended = earlier === undefined ? [] : await endLeftovers(earlier, gracefulMs);
    const ledger = new Ledger(file);
    ledger.#write();
    return { ledger, ended };
  }

  /** Ends leftovers below a directory where no manager will run any more, and removes its ledger; R3 holds. */
  static async clear(runDirectory: string, gracefulMs: number): Promise<Leftover[]> {
    const file = path.join(runDirectory, "circus.pids");
    const earlier = readRecord(file);
    if (earlier === undefined || (earlier.boot === bootId() && lives(earlier.manager))) return [];
    const ended = await endLeftovers(earlier, gracefulMs);
    rmSync(file, { force: true });
    return ended;
  }

  /** @param startTicks undefined: the process ended at once, there is nothing to remember. */
  add(watcher: string, pid: number, startTicks: number | undefined): void {
    if (startTicks === undefined) return;
    this.#children.set(pid, { watcher, pid, startTicks });
    this.#write();
  }

  remove(pid: number): void {
    if (this.#children.delete(pid)) this.#write();
  }

  /** All children are gone: nothing is left to tell the next manager. */
  close(): void {
    rmSync(this.file, { force: true });
  }

  #write(): void {
    const manager = { pid: process.pid, startTicks: readStat(process.pid)?.startTicks ?? 0 };
    const whole: Record_ = { boot: bootId(), mark: this.mark, manager, children: [...this.#children.values()] };
    const next = `${this.file}.next`;
    writeFileSync(next, `${JSON.stringify(whole, undefined, 1)}\n`, { mode: 0o600 });
    renameSync(next, this.file); // R4
  }
}

/** A file that is not ours to understand is treated as none: no process is ended on a guess. */
function readRecord(file: string): Record_ | undefined {
  try {
    return record.parse(JSON.parse(readFileSync(file, "utf8")));
  } catch {
    return undefined;
  }
}

function lives(process_: { readonly pid: number; readonly startTicks: number }): boolean {
  const stat = readStat(process_.pid);
  return stat !== undefined && stat.startTicks === process_.startTicks && stat.state !== "Z";
}

async function endLeftovers(earlier: Record_, gracefulMs: number): Promise<Leftover[]> {
  if (earlier.boot !== bootId()) return []; // Another boot: every pid on record is long gone.
  const found = earlier.children.flatMap((child) => {
    return leftoversOf(child, earlier.mark).map((stat) => ({ watcher: child.watcher, stat }));
  });
  const stats = found.map((leftover) => leftover.stat);
  signalAll(stats, "SIGTERM");
  await untilGone(stats, gracefulMs);
  signalAll(stats, "SIGKILL");
  await untilGone(stats, KILLED_WITHIN_MS);
  return found.map(({ watcher, stat }) => ({ watcher, pid: stat.pid }));
}

/** A killed process is gone in milliseconds, unless the disk holds it. */
const KILLED_WITHIN_MS = 2_000;
const LOOK_EVERY_MS = 20;

function leftoversOf(child: Record_["children"][number], mark: string): ProcStat[] {
  const leader = readStat(child.pid);
  const members = allStats().filter((stat) => stat.group === child.pid && stat.state !== "Z");
  if (leader !== undefined && leader.startTicks !== child.startTicks) return []; // R1: the pid has gone to a stranger.
  if (leader !== undefined) return members;
  return members.filter((stat) => startedWith(stat.pid, `${MARK_VARIABLE}=${mark}`)); // R2
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
