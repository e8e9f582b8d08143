// The command `signal`: to a watcher's processes, to one of them, to their children. Whom it may reach is decided here: only
// processes of that watcher, and their descendants as /proc shows them now.

import { CircusError, reasonOf } from "./errors.js";
import { descendants, isErrno } from "./proc.js";
import type { Child } from "./process.js";
import type { Watcher } from "./watcher.js";

export interface SignalTarget {
  readonly signum: NodeJS.Signals;
  /** One process of the watcher; all by default. */
  readonly pid?: number | undefined;
  /** One descendant of `pid`. */
  readonly childPid?: number | undefined;
  /** The children instead of the process. */
  readonly children: boolean;
  /** The process and all its descendants. */
  readonly recursive: boolean;
}

/** @throws {CircusError} NOT_FOUND, or BAD_MESSAGE for a childpid without pid, or OS. */
export function signalTo(watcher: Watcher, target: SignalTarget): void {
  const { pid, childPid } = target;
  if (childPid !== undefined && pid === undefined) {
    throw new CircusError("BAD_MESSAGE", "cannot specify childpid without pid");
  }
  const one = pid === undefined ? undefined : watcher.crew.member(pid);
  if (pid !== undefined && one === undefined) {
    throw new CircusError("NOT_FOUND", `process ${pid} not found in '${watcher.name}'`);
  }
  for (const child of one === undefined ? watcher.crew.members : [one]) signalOne(child, target);
}

function signalOne(child: Child, { signum, childPid, children, recursive }: SignalTarget): void {
  if (childPid !== undefined) {
    const known = descendants(child.pid).some((stat) => stat.pid === childPid);
    if (!known) throw new CircusError("NOT_FOUND", `process ${childPid} is no child of ${child.pid}`);
    send(childPid, signum);
    return;
  }
  const below = children || recursive ? descendants(child.pid) : [];
  if (!children) child.signal(signum);
  for (const stat of below) send(stat.pid, signum);
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (isErrno(error, "ESRCH")) return; // It ended meanwhile.
    throw new CircusError("OS", `cannot send ${signal} to ${pid}: ${reasonOf(error)}`, { cause: error });
  }
}
