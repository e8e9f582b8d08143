// Courtesy: a process that starts beside one that serves lets all others go first until it is ready.
//
//   crew.ts: spawn --another one is ready--> Courtesy.ask(pid) --it is ready, or nobody else is any more--> end()
//
// Loading a program keeps a processor busy for a second. Where processors are few, the clients of those who serve would wait for it.
//
//   Y1. Nobody stays behind: where the way back is forbidden (neither root nor a RLIMIT_NICE of 20), niceness is left alone.
//   Y2. Where Linux shares processors out by session (autogroup), niceness counts only within one; then the session's own is set,
//       which needs no privilege. Each of our children leads a session of its own (process.ts).
//   Y3. A thread has a niceness of its own, inherited from the one that started it: the way back is for each of them.
//   Y4. On a machine that is busy for good it would never get ready: after PATIENCE_MS it is everybody's equal.

import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { setPriority } from "node:os";

/** A tenth of what an equal would get, on a processor that both want; all of one that nobody else wants. */
const NICE = 10;
/** Twice what a start takes on a machine that has half a processor to spare. */
const PATIENCE_MS = 4_000;
/** Without privilege Linux takes one change of a session's niceness in 100 ms, of all users together. */
const RETRY_MS = 150;
const RETRIES_MAX = 40;
/** Bit of CAP_SYS_NICE in CapEff. */
const CAP_SYS_NICE = 23n;
/** RLIMIT_NICE of 20 allows niceness 0. */
const LIMIT_NICE_ZERO = 20;

export class Courtesy {
  #ended = false;
  readonly #patience: NodeJS.Timeout;

  private constructor(
    private readonly pid: number,
    private readonly way: "session" | "threads",
    patienceMs: number,
  ) {
    this.#patience = setTimeout(() => this.end(), patienceMs).unref();
  }

  /** Undefined: it cannot be asked for (Y1), or the process has gone already. @param patienceMs Y4 */
  static ask(pid: number, patienceMs = PATIENCE_MS): Courtesy | undefined {
    if (sessionNice(pid, NICE) === "done") return new Courtesy(pid, "session", patienceMs);
    return mayReturn() && threadsNice(pid, NICE) ? new Courtesy(pid, "threads", patienceMs) : undefined;
  }

  /** The process has gone: its number may be another's by now. */
  forget(): void {
    this.#ended = true;
    clearTimeout(this.#patience);
  }

  /** Safe twice. */
  end(): void {
    if (this.#ended) return;
    this.forget();
    if (this.way === "session") this.#back(0);
    else threadsNice(this.pid, 0); // Y3
  }

  #back(tries: number): void {
    if (sessionNice(this.pid, 0) !== "later" || tries === RETRIES_MAX) return;
    setTimeout(() => this.#back(tries + 1), RETRY_MS).unref();
  }
}

/** Y2. `later`: Linux asks for patience. `no`: there is no such thing here, or the process has gone. */
function sessionNice(pid: number, nice: number): "done" | "later" | "no" {
  try {
    if (readFileSync("/proc/sys/kernel/sched_autogroup_enabled", "utf8").trim() !== "1") return "no";
    writeFileSync(`/proc/${pid}/autogroup`, `${nice}`);
    return "done";
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EAGAIN" ? "later" : "no";
  }
}

/** False: the process has gone. */
function threadsNice(pid: number, nice: number): boolean {
  try {
    setPriority(pid, nice);
    for (const thread of readdirSync(`/proc/${pid}/task`)) threadNice(Number(thread), nice);
    return true;
  } catch {
    return false;
  }
}

/** One that ended meanwhile keeps none of the others from their way back. */
function threadNice(thread: number, nice: number): void {
  try {
    setPriority(thread, nice);
  } catch {} // It has ended: there is nothing to give back.
}

/** Y1 */
function mayReturn(): boolean {
  try {
    const capabilities = /^CapEff:\s*([0-9a-f]+)/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1] ?? "0";
    if ((BigInt(`0x${capabilities}`) >> CAP_SYS_NICE) & 1n) return true;
    const limit = /^Max nice priority\s+(\S+)/m.exec(readFileSync("/proc/self/limits", "utf8"))?.[1];
    return limit === "unlimited" || Number(limit) >= LIMIT_NICE_ZERO;
  } catch {
    return false; // No such /proc: not Linux.
  }
}
