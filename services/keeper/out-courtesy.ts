// out-courtesy: an edge that loads while another one serves lets that one go first, until it is ready or is needed.
//
//   fork --begin--> loading, behind everybody --ready | standby | the serving one ended | PATIENCE_MS: end--> an equal
//
// Edges share the keeper's session, and with it what the machine allots to that: without this, loading takes half of it away from
// the clients.
//
//   Y1. Where the way back is forbidden (neither root nor a RLIMIT_NICE of 20) nothing is done: nobody stays behind.
//   Y2. A thread has a niceness of its own, inherited from the one that started it: the way back is for each of them.

import { readdirSync, readFileSync } from "node:fs";
import { setPriority } from "node:os";

/** A tenth of what an equal would get, where both want a processor. */
const NICE = 10;
/** A machine that is busy for good would never let it get ready: then it is everybody's equal. */
const PATIENCE_MS = 4_000;
/** Bit of CAP_SYS_NICE in CapEff, and the limit that allows niceness 0. */
const CAP_SYS_NICE = 23n;
const LIMIT_NICE_ZERO = 20;

/** @returns the way back; safe twice. `gone`: the process has ended, and its number may be another's by now. */
export function letOthersGoFirst(pid: number | undefined): (gone?: boolean) => void {
  if (pid === undefined || !mayReturn() || !niceness(pid, NICE)) return () => {};
  let ended = false;
  const end = (gone = false) => {
    clearTimeout(patience);
    if (!ended && !gone) niceness(pid, 0);
    ended = true;
  };
  const patience = setTimeout(() => end(), PATIENCE_MS).unref();
  return end;
}

/** Y2. False: it has gone. */
function niceness(pid: number, nice: number): boolean {
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
    const limit = /^Max nice priority\s+(\S+)/m.exec(readFileSync("/proc/self/limits", "utf8"))?.[1];
    if ((BigInt(`0x${capabilities}`) >> CAP_SYS_NICE) & 1n) return true;
    return limit === "unlimited" || Number(limit) >= LIMIT_NICE_ZERO;
  } catch {
    return false; // No such /proc: not Linux.
  }
}
