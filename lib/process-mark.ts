// Process mark: names one process among all that there ever were, on all machines: boot / pid namespace / pid / start time.
//
// A host name and a pid do not: two containers, or two machines made from one image, have the same host name and the same pids, and a pid
// is used again. The boot id is drawn at random at every start of a kernel, the namespace's number is the container's, and the start time
// (ticks since boot) tells a process from an earlier one with its pid.
//
// Source: proc(5): /proc/sys/kernel/random/boot_id, /proc/PID/ns/pid, field 22 of /proc/PID/stat. A system without them has no marks.

import { readFileSync, readlinkSync } from "node:fs";
import { hostname } from "node:os";

/** Longest mark: 36 of the boot id, 10 digits of the namespace, 7 of the pid, 20 of the start time, and what stands between. */
export const PROCESS_MARK_MAX = 96;

/** Ticks since boot. Undefined: there is no such process, or the system does not say. */
function startTicksOf(pid: number): number | undefined {
  const stat = read(() => readFileSync(`/proc/${pid}/stat`, "utf8"));
  // Fields are numbered from 1; the command, the second, may hold spaces and parentheses, hence the last `)`.
  const ticks = Number(stat?.slice(stat.lastIndexOf(")") + 2).split(" ")[22 - 3]);
  return Number.isSafeInteger(ticks) ? ticks : undefined;
}

/**
 * @param pid As this process sees it: in its own pid namespace.
 * @param startTicks Of a process that is gone: what was read while it lived; without it nobody can tell which one it was.
 * @returns undefined when the system does not say all of it: then nothing may be concluded.
 */
export function processMark(pid: number = process.pid, startTicks = startTicksOf(pid)): string | undefined {
  const boot = read(() => readFileSync("/proc/sys/kernel/random/boot_id", "utf8"))?.trim();
  const namespace = /^pid:\[(\d+)\]$/.exec(read(() => readlinkSync("/proc/self/ns/pid")) ?? "")?.[1];
  if (!boot || namespace === undefined || startTicks === undefined) return undefined;
  return `${boot}/${namespace}/${pid}/${startTicks}`;
}

/**
 * Whether this process sees that one under the pid that it names: same boot, same pid namespace. Where one of the two does not say, the host
 * name must do.
 */
export function seenHere(it: { readonly process?: string | undefined; readonly host: string }): boolean {
  const mine = processMark();
  if (mine === undefined || it.process === undefined) return it.host === hostname();
  return place(mine) === place(it.process);
}

const place = (mark: string): string => mark.split("/", 2).join("/");

function read(act: () => string): string | undefined {
  try {
    return act();
  } catch {
    return undefined; // The process has ended, or the system has no such file: both mean that it does not say.
  }
}
