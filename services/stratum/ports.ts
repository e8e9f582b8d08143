// The ways out of an instance, as its pure parts see them: what in-* and out-* files offer, so that a test can stand in for them.

import type {
  Claim,
  ConnectionId,
  Handle,
  JobId,
  Out,
  RejectReason,
  Share,
  ShareOutcome,
  WorkerName,
} from "../../lib/contracts/index.js";
import type { PeerId } from "../../lib/wiring/index.js";
import type { KnownJob } from "./jobs.js";
import type { Grant } from "./session.js";
import type { Snapshot } from "./snapshot.js";
import type { Candidate } from "./verify.js";

/** out-lines.ts */
export interface Outbox {
  /** Goes out at the end of the tick, in order. */
  say(edge: PeerId, out: Out): void;
  forget(edge: PeerId): void;
}

/** Stands for refusals that no authorized worker is behind. */
export const NO_WORKER = "-" as WorkerName;

/** Lets the owner of a line say that it has another home. */
export interface Claimant {
  readonly moved: boolean;
}

/**
 * moved: the line is another instance's now. refused: the reporter finds this share malformed, which is a bug on one of the two
 * sides; it is not recorded.
 */
export type Recorded = ShareOutcome | "moved" | "refused";

/** out-shares.ts */
export interface Recorder {
  /** `settle` is called once, when the reporter has spoken; never when the instance is closed before. It must not throw. */
  record(share: Share, hashesPerDifficulty: number, claimant: Claimant, settle: (outcome: Recorded) => void): void;
  /** Whether this very line brought this share into the log before. Never rejects; false when nobody can say. */
  known(claim: Claim): Promise<boolean>;
  reject(worker: WorkerName, reason: RejectReason): void;
  /** Shares that have no outcome yet. */
  readonly waiting: number;
}

/** out-blocks.ts */
export interface Blocks {
  submit(candidate: Candidate, worker: WorkerName, connection: ConnectionId): void;
}

/** A connection as this instance has it: whose it is, and since which change of owner. */
export interface Seat {
  readonly id: ConnectionId;
  readonly edge: PeerId;
  readonly handle: Handle;
}

/** out-state.ts */
export interface Memory {
  save(seat: Seat, state: Uint8Array): void;
  /** It is another instance's: what waits to be written here is older than what that one writes. */
  forget(seat: Seat): void;
  /** The client left; its session may be resumed. */
  release(seat: Seat): Promise<void>;
  /** Waits as long as `wanted` says. Undefined: nothing is known of this connection. */
  adopt(seat: Seat, wanted: () => boolean): Promise<Snapshot | undefined>;
  /** An extranonce1: that of `session` if nobody holds it, or a new one. Undefined: not wanted any more. */
  enlist(seat: Seat, session: string | undefined, wanted: () => boolean): Promise<Grant | undefined>;
}

/** in-jobs.ts */
export interface Archive {
  /** A job that this instance never saw, or saw long ago. Never rejects. `connection`: whose line names it. */
  lookup(id: JobId, connection: ConnectionId): Promise<KnownJob | undefined>;
}
