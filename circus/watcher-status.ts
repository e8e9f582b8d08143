// What a watcher says about itself, and what a command changed. Types, and one pure function.

import type { Child, ChildState } from "./process.js";

export type WatcherState = "stopped" | "starting" | "active" | "stopping";

export interface WatcherStatus {
  readonly name: string;
  readonly status: WatcherState;
  readonly numprocesses: number;
  readonly priority: number;
  /** Replacements of processes that ended unasked, since the manager began. */
  readonly restarts: number;
  /** Why the watcher no longer replaces its processes; undefined while it does. */
  readonly gaveUp: string | undefined;
  readonly processes: readonly {
    readonly pid: number;
    readonly wid: number;
    readonly state: ChildState;
    readonly startedAtMs: number;
    readonly ageMs: number;
  }[];
}

/** Pids, as Circus's `info` has them after a command with `waiting`. */
export interface Change {
  readonly stopped: readonly number[];
  readonly started: readonly number[];
  readonly kept: readonly number[];
}

/** From the pids before and after a command. */
export function changeBetween(before: readonly number[], after: readonly number[]): Change {
  return {
    stopped: before.filter((pid) => !after.includes(pid)),
    started: after.filter((pid) => !before.includes(pid)),
    kept: before.filter((pid) => after.includes(pid)),
  };
}

export function processStatus({ pid, wid, state, startedAtMs }: Child): WatcherStatus["processes"][number] {
  return { pid, wid, state, startedAtMs, ageMs: Date.now() - startedAtMs };
}
