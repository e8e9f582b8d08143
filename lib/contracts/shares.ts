// shares: what stratum tells the reporter, and what the reporter knows.
//
//   stratum --recordShares (batched per tick)--> reporter --one Lua script a batch--> Redis
//
//   R1. A share's identity is the sha256d of its header. Each identity is recorded once, whichever backend or reporter:
//       the same (connection, line) again is `redelivered` (answered true), any other claim to it is `duplicate` (code 22).
//   R2. `recorded` is said only when the share stands in the log, or on the reporter's disk for as long as Redis is away.

import { z } from "zod";
import { defineContract, method, push } from "../wiring/index.js";
import {
  bytes32,
  connectionId,
  difficulty,
  epochMs,
  jobId,
  lineNumber,
  WORKER_NAME_LENGTH_MAX,
  workerName,
} from "./ids.js";
import { blockStatus } from "./jobs.js";

export const SHARES_MAX = 4_096;

export const share = z.object({
  identity: bytes32,
  connection: connectionId,
  line: lineNumber,
  worker: workerName,
  job: jobId,
  height: z.number().int().positive(),
  /** Of the job it was made for: what is credited. */
  difficulty,
  /** What its hash reached. */
  achieved: difficulty,
  /** When stratum judged it. */
  at: epochMs,
  /** It met the network target. */
  block: z.boolean(),
});
export type Share = z.output<typeof share>;

/** A place in the share log, as Redis numbers it: grows with time. */
export const recordId = z.string().regex(/^\d{1,20}-\d{1,20}$/, "expected a record's id such as 1700000000000-0");
export type RecordId = z.output<typeof recordId>;

/** A share as it stands in the log. */
export const loggedShare = share.omit({ identity: true }).extend({
  record: recordId,
  /** Its identity in hex, internal byte order. A block's hash is the same bytes backwards. */
  id: z.string().length(64),
});
export type LoggedShare = z.output<typeof loggedShare>;

/** A share by what makes it the same share again. */
export const claim = share.pick({ identity: true, connection: true, line: true, height: true });
export type Claim = z.output<typeof claim>;

/** refused: it cannot be kept as what it is; the others of its call can. */
export const shareOutcome = z.enum(["recorded", "redelivered", "duplicate", "refused"]);
export type ShareOutcome = z.output<typeof shareOutcome>;

/** Why a share was refused; the number is Stratum's error code. */
export const rejectReason = z.enum(["other", "stale", "duplicate", "low-difficulty", "unauthorized", "not-subscribed"]);
export type RejectReason = z.output<typeof rejectReason>;

const windows = z.object({
  /** Hashes per second over the last 1 min, 5 min and 1 h. */
  hashrate1m: z.number(),
  hashrate5m: z.number(),
  hashrate1h: z.number(),
});

export const workerStats = windows.extend({
  worker: workerName,
  accepted: z.number().int(),
  rejected: z.number().int(),
  /** Sum of credited difficulty, all time. */
  difficultySum: z.number(),
  lastShareAt: epochMs.optional(),
});
export type WorkerStats = z.output<typeof workerStats>;

export const blockRecord = z.object({
  hash: z.string().length(64),
  height: z.number().int(),
  worker: workerName,
  status: blockStatus,
  confirmations: z.number().int(),
  foundAt: epochMs,
  reason: z.string().max(512).optional(),
  /** The round that it ended. */
  round: z.number().int().optional(),
});
export type BlockRecord = z.output<typeof blockRecord>;

/** In one reply. */
export const ROUND_WORKERS_MAX = 10_000;

/** Credited difficulty by worker, largest first. */
export const roundWorkers = z.object({
  workers: z.array(z.object({ worker: workerName, difficulty: z.number() })).max(ROUND_WORKERS_MAX),
  /** That the round lists, in this reply or not: method roundWorkers gives the rest. */
  workerCount: z.number().int(),
});
export type RoundWorkers = z.output<typeof roundWorkers>;

export const round = roundWorkers.extend({
  round: z.number().int(),
  openedAt: epochMs,
  closedAt: epochMs.optional(),
  block: z.string().optional(),
  height: z.number().int().optional(),
  /** Of its block. Absent: it is open. */
  status: blockStatus.optional(),
  /**
   * Of a round whose block was orphaned: the round whose block pays for its shares, too, the next one that ended with a block in the
   * chain. Absent: there is none yet, or the round needs none.
   */
  paidIn: z.number().int().optional(),
  shares: z.number().int(),
  difficultySum: z.number(),
  /** Of it: what workers had that the round does not list (reporter.roundWorkersMax). Their shares are in the log and its archive. */
  difficultyLeftOut: z.number().optional(),
});
export type Round = z.output<typeof round>;

export const reporter = defineContract({
  service: "reporter",
  methods: {
    /** Outcomes in the order of the shares. */
    recordShares: method({
      request: z.object({ shares: z.array(share).min(1).max(SHARES_MAX), hashesPerDifficulty: z.number().positive() }),
      reply: z.object({ outcomes: z.array(shareOutcome).max(SHARES_MAX) }),
      idempotent: true,
      timeoutMs: 5_000,
    }),
    /**
     * Whether these very lines brought these shares into the log (or the spool): a line that is delivered again after a new tip
     * was perhaps answered already. In the order of the claims.
     */
    known: method({
      request: z.object({ claims: z.array(claim).min(1).max(SHARES_MAX) }),
      reply: z.object({ known: z.array(z.boolean()).max(SHARES_MAX) }),
      idempotent: true,
      timeoutMs: 5_000,
    }),
    /** Counts, for statistics only: a lost call loses counts, never money. */
    recordRejects: method({
      request: z.object({
        rejects: z
          .array(z.object({ worker: workerName, reason: rejectReason, count: z.number().int().positive() }))
          .max(SHARES_MAX),
      }),
      reply: z.object({}),
      idempotent: false,
    }),
    /** A block's new status. The first `accepted` of a hash closes the round; later ones update it. */
    recordBlock: method({
      request: blockRecord.omit({ round: true }),
      reply: z.object({ round: z.number().int().optional() }),
      idempotent: true,
      timeoutMs: 5_000,
    }),
    /** Of the instance that answers; works while Redis is away. */
    status: method({
      request: z.object({}),
      reply: z.object({
        /** Where shares go now. */
        recording: z.enum(["redis", "spool"]),
        /** Why they go to the spool. */
        trouble: z.string().max(1_024).optional(),
        /** Absent: none is configured. */
        spool: z
          .object({
            /** Shares and blocks that wait for Redis. */
            length: z.number().int(),
            bytes: z.number().int(),
            bytesMax: z.number().int(),
            oldestAt: epochMs.optional(),
          })
          .optional(),
      }),
      idempotent: true,
    }),
    pool: method({
      request: z.object({}),
      reply: windows.extend({
        accepted: z.number().int(),
        rejected: z.record(z.string(), z.number().int()),
        /** Shares in the log, all time; what the log still holds; workers seen in the last hour. */
        recorded: z.number().int(),
        logLength: z.number().int(),
        workersActive: z.number().int(),
        blocks: z.number().int(),
        round: z.number().int(),
        /** Shares that wait in the spool of the instance that answers; not in the figures above. */
        spooled: z.number().int(),
      }),
      idempotent: true,
    }),
    workers: method({
      request: z.object({
        match: z.string().max(WORKER_NAME_LENGTH_MAX).optional(),
        limit: z.number().int().min(1).max(1_000).default(100),
      }),
      reply: z.object({ workers: z.array(workerStats).max(1_000) }),
      idempotent: true,
    }),
    blocks: method({
      request: z.object({ limit: z.number().int().min(1).max(1_000).default(50) }),
      reply: z.object({ blocks: z.array(blockRecord).max(1_000) }),
      idempotent: true,
    }),
    /**
     * The share log, oldest first. Without `after`: its newest shares. With it: what came after that record. At most 20,000 records
     * are looked at, so that with a filter a reply may hold few shares, or none: `last` is where to go on in any case.
     */
    shares: method({
      request: z.object({
        after: recordId.optional(),
        limit: z.number().int().min(1).max(1_000).default(100),
        /** Only of workers whose name has this in it, in any case. */
        match: z.string().max(WORKER_NAME_LENGTH_MAX).optional(),
        connection: connectionId.optional(),
      }),
      reply: z.object({
        shares: z.array(loggedShare).max(1_000),
        /** The newest record that was looked at; absent while the log is empty. */
        last: recordId.optional(),
      }),
      idempotent: true,
    }),
    rounds: method({
      request: z.object({ limit: z.number().int().min(1).max(100).default(10) }),
      reply: z.object({ rounds: z.array(round).max(100) }),
      idempotent: true,
    }),
    /** The workers of one round from a place in the order on; the open round's order changes meanwhile. */
    roundWorkers: method({
      request: z.object({
        round: z.number().int().positive(),
        from: z.number().int().nonnegative().default(0),
        limit: z.number().int().min(1).max(ROUND_WORKERS_MAX).default(ROUND_WORKERS_MAX),
      }),
      reply: roundWorkers,
      idempotent: true,
    }),
  },
  pushes: {
    /** Shares as they are recorded, for live views; a slow viewer misses some. */
    recorded: push(z.object({ shares: z.array(share).max(SHARES_MAX) })),
    block: push(blockRecord),
  },
});
export type ReporterContract = typeof reporter;
