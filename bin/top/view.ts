// What `headframe top` shows, as plain data: collected by collect.ts, drawn by draw.ts.

import type { DaemonStatus, WorkerStats } from "../../lib/contracts/index.js";
import type { Instance } from "../../lib/wiring/index.js";

export const SORTS = ["hashrate", "accepted", "rejected", "last share", "name"] as const;
export type Sort = (typeof SORTS)[number];

export interface Look {
  readonly at: number;
  readonly pool?: {
    readonly hashrate1m: number;
    readonly hashrate1h: number;
    readonly accepted: number;
    readonly rejected: Readonly<Record<string, number>>;
    readonly workersActive: number;
    readonly blocks: number;
    readonly round: number;
    readonly spooled: number;
  };
  readonly job?: { readonly id: string; readonly height: number; readonly templateAt: number } | undefined;
  readonly daemons: readonly DaemonStatus[];
  readonly workers: readonly WorkerStats[];
  readonly instances: readonly Instance[];
  readonly loads: ReadonlyMap<string, number>;
  /** What could not be asked, and why. */
  readonly troubles: readonly string[];
}

export interface TopView extends Look {
  /** Newest last. */
  readonly hashrates: readonly number[];
  readonly sharesPerSecond: readonly number[];
  /** Hashrates by worker, newest last. */
  readonly courses: ReadonlyMap<string, readonly number[]>;
  readonly sort: Sort;
}
