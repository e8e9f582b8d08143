// What the dashboard needs of others than services: whoever manages the processes of this host.
//
//   dashboard --swap, drain, processes--> Operator (bin/manage/operator.ts) --Circus's protocol--> process manager
//
// Whoever opens the dashboard hands it in, so that a service knows nothing of process managers.

import type { SWAPPABLE } from "./model.js";

export type Swappable = (typeof SWAPPABLE)[number];

/** One process of this host, as its manager knows it. */
export interface ManagedProcess {
  /** The watcher it belongs to, `stratum`. */
  readonly watcher: string;
  readonly pid: number;
  readonly startedAt: number;
  /** Resident. */
  readonly memoryBytes?: number;
  /** Percent of one core. */
  readonly cpu?: number;
}

/** Something that the manager saw a process do. */
export interface ProcessEvent {
  readonly watcher: string;
  readonly what: "spawn" | "ready" | "reap" | "kill" | "start" | "stop" | "reload" | "updated" | "add" | "remove";
  readonly pid?: number;
  /** Negative for a death by signal. */
  readonly exitCode?: number;
}

export interface Operator {
  /** @throws {Error} when no manager answers; the message says where it was looked for. */
  processes(): Promise<readonly ManagedProcess[]>;
  /** How many processes each watcher is meant to have. @throws as above. */
  expected(): Promise<ReadonlyMap<string, number>>;
  /** Until the returned function is called. */
  listen(onEvent: (event: ProcessEvent) => void): () => void;
  /** @throws {Error} which says why the old instances stay. */
  swap(service: Swappable, tell: (line: string) => void): Promise<void>;
  /** @throws {Error} which says why the instance stays. */
  drain(instance: string, options: { readonly replace: boolean }, tell: (line: string) => void): Promise<void>;
}
