// circus.pids: what a manager has running, on disk, so that the next manager can end what a killed one left behind (leftovers.ts).
//
//   spawn, reap -> Ledger (rewritten whole, by rename) ... kill -9 of the manager ... next start -> endLeftovers -> fresh ledger
//
//   R1. One manager at a time: it holds a claim on the run directory (claim.ts) from before it looks until after it has gone.
//   R2. The file is complete whenever one looks: it is written next to its place and renamed.
//   R3. It is an aid: when it cannot be written (a full disk) the manager goes on, says so once and tries again. What the file then
//       lacks is found by its mark, which was written before the first process started.

import { randomUUID } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { z } from "zod";
import { putAside } from "../lib/core/aside.js";
import { type Claim, claim } from "./claim.js";
import { CircusError, reasonOf } from "./errors.js";
import { endLeftovers, type Leftover, type Recorded } from "./leftovers.js";
import { bootId, readStat } from "./proc.js";

const identity = z.object({ pid: z.number().int().positive(), startTicks: z.number().nonnegative() });
const record = z.object({
  boot: z.string(),
  mark: z.string().min(1),
  manager: identity,
  children: z.array(identity.extend({ watcher: z.string() })).max(10_000),
});
type Record_ = z.output<typeof record>;

/** After a failed write. */
const RETRY_MS = 1_000;

export class Ledger {
  /** Random, one for each run of a manager. */
  readonly mark = randomUUID();
  readonly #children = new Map<number, Recorded>();
  #retry: NodeJS.Timeout | undefined;
  #failing = false;

  private constructor(
    private readonly file: string,
    private readonly claimed: Claim,
    private readonly onProblem: (reason: string) => void,
  ) {}

  /**
   * Ends leftovers of an earlier manager, then begins a fresh ledger.
   *
   * @param gracefulMs Between SIGTERM and SIGKILL for leftovers. @param onProblem Told once when writing begins to fail.
   * @throws {CircusError} TAKEN while another manager has the directory (R1), OS when it cannot be written at all.
   */
  static async open(
    runDirectory: string,
    gracefulMs: number,
    onProblem: (reason: string) => void = () => undefined,
  ): Promise<{ ledger: Ledger; ended: Leftover[] }> {
    mkdirSync(runDirectory, { recursive: true, mode: 0o700 });
    const file = path.join(runDirectory, "circus.pids");
    const claimed = claim(runDirectory);
    if (claimed === undefined) {
      const known = readRecord(file)?.manager;
      // One that still ends what an earlier one left has not written its own name yet.
      const who = known && readStat(known.pid)?.startTicks === known.startTicks ? `, pid ${known.pid}` : "";
      throw new CircusError("TAKEN", `${runDirectory} belongs to a running manager${who}; stop it first`);
    }
    try {
      const kept = existsSync(file) && readRecord(file) === undefined ? putAside(file) : undefined;
      if (kept !== undefined)
        onProblem(
          `the record of an earlier manager's processes cannot be read: none of them is ended; it is kept as ${kept}`,
        );
      const ended = await endRecorded(file, gracefulMs);
      const ledger = new Ledger(file, claimed, onProblem);
      ledger.#write();
      return { ledger, ended };
    } catch (error) {
      claimed.release();
      throw new CircusError("OS", `cannot write ${file}: ${reasonOf(error)}`, { cause: error });
    }
  }

  /** Ends leftovers below a directory where no manager will run any more, and removes its ledger; R1 holds. */
  static async clear(runDirectory: string, gracefulMs: number): Promise<Leftover[]> {
    const claimed = claim(runDirectory);
    if (claimed === undefined) return [];
    try {
      const file = path.join(runDirectory, "circus.pids");
      const ended = await endRecorded(file, gracefulMs);
      rmSync(file, { force: true });
      return ended;
    } finally {
      claimed.release();
    }
  }

  /** @param startTicks undefined: the process ended at once, there is nothing to remember. */
  add(watcher: string, pid: number, startTicks: number | undefined): void {
    if (startTicks === undefined) return;
    this.#children.set(pid, { watcher, pid, startTicks });
    this.#tryWrite();
  }

  remove(pid: number): void {
    if (this.#children.delete(pid)) this.#tryWrite();
  }

  /** All children are gone: nothing is left to tell the next manager. */
  close(): void {
    clearTimeout(this.#retry);
    this.#retry = undefined;
    try {
      for (const file of [this.file, next(this.file)]) rmSync(file, { force: true });
    } catch (error) {
      this.onProblem(`${this.file} cannot be removed, and names processes that are gone: ${reasonOf(error)}`);
    }
    this.claimed.release();
  }

  /** R3 */
  #tryWrite(): void {
    try {
      this.#write();
      this.#failing = false;
    } catch (error) {
      if (!this.#failing) this.onProblem(`cannot write ${this.file}, tried again every second: ${reasonOf(error)}`);
      this.#failing = true;
      this.#retry ??= setTimeout(() => {
        this.#retry = undefined;
        this.#tryWrite();
      }, RETRY_MS).unref();
    }
  }

  #write(): void {
    const manager = { pid: process.pid, startTicks: readStat(process.pid)?.startTicks ?? 0 };
    const whole: Record_ = { boot: bootId(), mark: this.mark, manager, children: [...this.#children.values()] };
    writeFileSync(next(this.file), `${JSON.stringify(whole, undefined, 1)}\n`, { mode: 0o600 });
    renameSync(next(this.file), this.file); // R2
  }
}

const next = (file: string): string => `${file}.next`;

/** A file that is not ours to understand is treated as none: no process is ended on a guess. */
function readRecord(file: string): Record_ | undefined {
  try {
    return record.parse(JSON.parse(readFileSync(file, "utf8")));
  } catch {
    return undefined;
  }
}

async function endRecorded(file: string, gracefulMs: number): Promise<Leftover[]> {
  const earlier = readRecord(file);
  if (earlier === undefined || earlier.boot !== bootId()) return []; // Another boot: every pid on record is long gone.
  return endLeftovers(earlier, gracefulMs);
}
