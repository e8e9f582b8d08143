// jobmanager: work from the coin daemons, blocks back to them.
//
//   coin daemon -> jobmanager --push job--> stratum          stratum --submitBlock--> any jobmanager -> every live daemon
//
// A job is everything a stratum instance needs to tell miners and to judge their shares. The block's other transactions
// stay behind (with the jobmanager, and in shared state for the others), so that a job stays small.

import { z } from "zod";
import { defineContract, method, push } from "../wiring/index.js";
import { bytes, bytes32, connectionId, epochMs, header80, jobId, uint32, workerName } from "./ids.js";

/** Names of proof-of-work functions; each is one module in chain/pow. */
export const proofOfWorkName = z.enum(["scrypt", "sha256d"]);
export type ProofOfWorkName = z.output<typeof proofOfWorkName>;

/**
 * Between coinbase1 and extranonce1 stand so many bytes that stratum chooses: with each name that a job is announced under others, so
 * that no two names are the same work (services/stratum/variant.ts).
 */
export const VARIANT_BYTES = 4;

/** Bytes between a job's coinbase1 and coinbase2: variant, extranonce1, extranonce2. */
export const roomOf = (sizes: { readonly extranonce1Size: number; readonly extranonce2Size: number }): number =>
  VARIANT_BYTES + sizes.extranonce1Size + sizes.extranonce2Size;

export const job = z.object({
  id: jobId,
  /** The coin's name, `litecoin`. */
  coin: z.string().min(1).max(32),
  /** Its network as its daemon names it, `main`. Absent: the jobmanager is of an earlier version. */
  network: z.string().min(1).max(32).optional(),
  proofOfWork: proofOfWorkName,
  /** Of the block to be found. */
  height: z.number().int().positive(),
  /** Internal byte order. */
  previousHash: bytes32,
  /**
   * Coinbase transaction, non-witness serialization: coinbase1 | variant (VARIANT_BYTES) | extranonce1 | extranonce2 | coinbase2. At most
   * 64 kB each.
   */
  coinbase1: bytes,
  coinbase2: bytes,
  extranonce1Size: z.number().int().min(1).max(8),
  extranonce2Size: z.number().int().min(2).max(8),
  /** Siblings of the coinbase on the way up, internal byte order. */
  merkleBranch: z.array(bytes32).max(32),
  version: uint32,
  /** Bits that miners may roll (BIP 310), already intersected with what the coin allows. 0: none. */
  versionMask: uint32,
  /** Compact form of the network target. */
  bits: uint32,
  /** Header time as the daemon gave it, and the earliest it accepts. Seconds since the epoch. */
  time: uint32,
  timeMin: uint32,
  /** True: a new tip; miners throw older work away. */
  clean: z.boolean(),
  /** When the daemon answered with the template this job was made from. */
  templateAt: epochMs,
});
export type Job = z.output<typeof job>;

/**
 * A job as it stands in shared state under its id, packed by msgpackr: what any jobmanager needs to finish its block, and what
 * any stratum instance needs to judge a share of a job it never saw.
 */
export const storedJob = z.object({
  job,
  /** The rest of the block, in the jobmanager's own encoding. */
  body: bytes,
});
export type StoredJob = z.output<typeof storedJob>;

/** What became of a block at one daemon. */
export const daemonVerdict = z.object({
  daemon: z.string().max(64),
  /**
   * accepted: in its chain. duplicate: in its chain already. inconclusive: valid, not (yet) the best chain. rejected: for good, see
   * reason. early: it refuses the block for now, because it lacks the block before it or its clock is behind. unreachable: no answer.
   */
  outcome: z.enum(["accepted", "duplicate", "inconclusive", "rejected", "early", "unreachable"]),
  reason: z.string().max(512).optional(),
});
export type DaemonVerdict = z.output<typeof daemonVerdict>;

/** pending: no daemon could take it yet; it is kept and offered again. */
export const blockStatus = z.enum(["pending", "accepted", "rejected", "orphaned", "confirmed"]);
export type BlockStatus = z.output<typeof blockStatus>;

export const submitBlockRequest = z.object({
  job: jobId,
  header: header80,
  /** Complete coinbase, non-witness serialization. */
  coinbase: bytes,
  worker: workerName,
  connection: connectionId,
});
export type SubmitBlockRequest = z.output<typeof submitBlockRequest>;

export const submitBlockReply = z.object({
  /**
   * pending: no daemon could take it yet; it is kept in shared state, and offered until its height is buried. unknown_job: no
   * jobmanager has the job's transactions any more (it expired).
   */
  status: z.enum(["accepted", "rejected", "pending", "unknown_job"]),
  /** Block id as explorers show it, hex. */
  hash: z.string().length(64),
  height: z.number().int().nonnegative(),
  verdicts: z.array(daemonVerdict).max(64),
});
export type SubmitBlockReply = z.output<typeof submitBlockReply>;

export const daemonStatus = z.object({
  name: z.string().max(64),
  url: z.string().max(255),
  /** live: the one in use or ready to be. refused: it answers, but wrongly (see reason). down: it does not answer. */
  state: z.enum(["live", "refused", "down", "unknown"]),
  reason: z.string().max(512).optional(),
  height: z.number().int().nonnegative().optional(),
  /** How new tips are learned from it. */
  tipSource: z.enum(["zmq", "longpoll", "poll"]).optional(),
  roundTripMs: z.number().nonnegative().optional(),
});
export type DaemonStatus = z.output<typeof daemonStatus>;

export const jobmanager = defineContract({
  service: "jobmanager",
  methods: {
    /**
     * Assembles the block and submits it to every live daemon. Repeating it is harmless: daemons answer `duplicate`.
     *
     * @throws {WiringError} UNAVAILABLE: no daemon could take it, and shared state could not keep it. It is tried on, but repeat it.
     */
    submitBlock: method({ request: submitBlockRequest, reply: submitBlockReply, idempotent: true, timeoutMs: 15_000 }),
    /** A daemon's notify command says that its tip changed (`-blocknotify=... call jobmanager tipChanged '{"hash":"%s"}' --all`). */
    tipChanged: method({ request: z.object({ hash: z.string().max(64) }), reply: z.object({}), idempotent: true }),
    status: method({
      request: z.object({}),
      reply: z.object({
        daemons: z.array(daemonStatus).max(64),
        job: job.pick({ id: true, height: true, time: true, templateAt: true }).optional(),
      }),
      idempotent: true,
    }),
  },
  pushes: {
    /** Each new job. Snapshot: the newest one. */
    job: push(job),
    /**
     * Some coin daemon has answered just now, whatever it said; every few seconds while that is so. Where none comes, there is no
     * daemon left (C5): jobs alone tell it late, since between two of them a daemon has nothing to say.
     */
    pulse: push(z.object({})),
    /** What became of a block; sent on every change of status. */
    block: push(
      z.object({
        hash: z.string().length(64),
        height: z.number().int().nonnegative(),
        status: blockStatus,
        worker: workerName,
        confirmations: z.number().int(),
        reason: z.string().max(512).optional(),
      }),
    ),
  },
});
export type JobmanagerContract = typeof jobmanager;
