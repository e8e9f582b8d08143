// What the reporter's parts hand to each other, so that the pure ones need not know the ones that touch disk and Redis.

import type { BlockRecord, RejectReason, Share, ShareOutcome } from "../../lib/contracts/index.js";

/** A share and the hashes that it stands for on average. */
export interface CreditedShare {
  readonly share: Share;
  readonly hashes: number;
}

export interface Reject {
  readonly worker: string;
  readonly reason: RejectReason;
  readonly count: number;
}

/** What became of a block, as a jobmanager tells it. */
export type BlockReport = Omit<BlockRecord, "round">;

export interface BlockOutcome {
  /** False: old news. */
  readonly changed: boolean;
  /** The round that this block closed, now or before. */
  readonly round: number | undefined;
}

/** The turn by which these shares were given to Redis directly. Nobody heard whether it took them. */
export interface Given {
  readonly process: string;
  readonly turn: number;
}

/** One write of the spool: recorded by one call of Redis when its time comes. */
export type SpoolRecord =
  | { readonly kind: "shares"; readonly shares: readonly CreditedShare[]; readonly given?: Given }
  | { readonly kind: "block"; readonly block: BlockReport };

/** Where a spooled share stands: Redis remembers how far each spool was recorded, so that nothing in it counts twice. */
export interface SpoolMark {
  readonly spool: string;
  /** Of each share's record in its spool, in the order of the shares; above 0 and never falling. */
  readonly numbers: readonly number[];
}

/** The oldest part of the spool. */
export type Chunk =
  | {
      readonly kind: "shares";
      readonly shares: readonly CreditedShare[];
      readonly mark: SpoolMark;
      /** Of the one record that it holds. */
      readonly given?: Given | undefined;
    }
  | { readonly kind: "block"; readonly block: BlockReport };

/**
 * Place of a call among all that this process gives to Redis. The scripts keep the number of the last one in the same step as what it
 * brought, and refuse a call whose predecessor they do not have. So whatever Redis comes back as (an older replica, a snapshot, empty), its
 * number says exactly which calls it has.
 */
export interface Turn {
  /** Number of the call before; 0: none. */
  readonly after: number;
  /** Grows, and is never used twice. */
  readonly number: number;
}

/** How long Redis keeps a spool's mark and a process' last turn: longer than any host is away and comes back with its disk. */
export const MARK_TTL_MS = 30 * 86_400_000;

/** Redis (out-redis.ts). */
export interface Ledger {
  /** Names this process' turns. */
  readonly process: string;
  /** @throws {Error} some or all may have been recorded, or Redis lacks the turn before; recording them again is harmless. */
  record(shares: readonly CreditedShare[], turn?: Turn, mark?: SpoolMark, given?: Given): Promise<ShareOutcome[]>;
  /** @throws {Error} as record(). */
  block(report: BlockReport, turn?: Turn): Promise<BlockOutcome>;
  /** Number of the last turn of this process that Redis has; 0: none. @throws {Error} it does not answer. */
  lastTurn(): Promise<number>;
}

/** The disk (out-spool.ts). */
export interface Backlog {
  /** Shares and blocks that wait. */
  readonly length: number;
  readonly bytes: number;
  /** When the oldest of its files was begun; undefined: it is empty. Wall clock, ms. */
  readonly oldestAt: number | undefined;
  /** `connection|line` of whoever brought this identity while it waits here. */
  claimOf(identity: Uint8Array): string | undefined;
  /** Resolves when it is safe on the disk. @throws {WiringError} UNAVAILABLE: full, or the disk did not take it; nothing is kept. */
  append(record: SpoolRecord): Promise<void>;
  /** The oldest chunk, at least one record, more of them up to sharesMax. Undefined: empty. */
  next(sharesMax: number): Promise<Chunk | undefined>;
  /** This chunk is recorded: it leaves the spool, if it is the one that next() gave last. */
  done(chunk: Chunk): Promise<void>;
}

/** How a claim to an identity is written, here and in Redis: the same line again is no duplicate. */
export const claimOf = ({ connection, line }: Pick<Share, "connection" | "line">): string => `${connection}|${line}`;
