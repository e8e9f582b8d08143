// A block that this pool found, as its stations know it.

import type { BlockRecord, BlockStatus, DaemonVerdict, EpochMs, WorkerName } from "../../lib/contracts/index.js";

/** Fresh from the daemons, with its first status. */
export interface Judged {
  /** As explorers show it. */
  readonly hash: string;
  readonly height: number;
  readonly status: BlockStatus;
  readonly verdicts: readonly DaemonVerdict[];
  readonly worker: WorkerName;
  readonly foundAt: EpochMs;
}

/** Followed through the chain. */
export interface Found {
  readonly hash: string;
  readonly height: number;
  readonly worker: WorkerName;
  readonly foundAt: EpochMs;
  readonly status: BlockStatus;
  readonly confirmations: number;
}

/** What the reporter is told. */
export type Report = Omit<BlockRecord, "round">;
