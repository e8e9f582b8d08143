// stratum: the pool's own line backend, and what it can tell of the miners that it serves.
//
//   edge --lines--> stratum          whoever looks after the pool --miners(match)--> every stratum instance
//
// Each instance knows the connections that it serves now, no others: who wants all of them asks every instance.

import { z } from "zod";
import { defineContract, method } from "../wiring/index.js";
import { connectionId, difficulty, epochMs, WORKER_NAME_LENGTH_MAX, workerName } from "./ids.js";
import { lineBackend } from "./lines.js";
import { rejectReason } from "./shares.js";

/** Miners in one reply. */
export const MINERS_MAX = 1_000;

/** What a search for miners may look at. */
export const minerField = z.enum(["worker", "address", "connection"]);
export type MinerField = z.output<typeof minerField>;

/** One connection, as the instance that serves it sees it. */
export const minerFacts = z.object({
  connection: connectionId,
  /** Of the client, without its port. */
  address: z.string().max(64),
  listener: z.string().max(64),
  /** As it names itself in mining.subscribe. */
  agent: z.string(),
  /** Authorized, in the order in which they came. */
  workers: z.array(workerName).max(1_024),
  /** subscribing: it has no work yet. */
  phase: z.enum(["subscribing", "mining"]),
  /** Absent until it mines. */
  difficulty: difficulty.optional(),
  /** Hashes per second by its accepted shares, those of the last minutes counting most. */
  hashrate: z.number().nonnegative(),
  /** When the client connected. */
  since: epochMs,
  /** When this instance took it over: the counts below begin there. */
  servedSince: epochMs,
  lastShareAt: epochMs.optional(),
  accepted: z.number().int(),
  /** Refused shares by reason; reasons without any are left out. */
  rejected: z.partialRecord(rejectReason, z.number().int()),
});
export type Miner = z.output<typeof minerFacts>;

const backend = lineBackend("stratum");

export const stratum = defineContract({
  ...backend,
  methods: {
    ...backend.methods,
    /**
     * Connections of the instance that answers, oldest first. Its work is bounded, too: a reply may hold fewer than `limit`, even
     * none, and still name `next`. The last page has no `next`.
     */
    miners: method({
      request: z.object({
        /** A part of a worker's name, of the address or of the connection id, in any case. */
        match: z.string().max(WORKER_NAME_LENGTH_MAX).optional(),
        /** Only there. */
        by: minerField.optional(),
        limit: z.number().int().min(1).max(MINERS_MAX).default(100),
        /** `next` of the page before. */
        after: z.number().int().nonnegative().default(0),
      }),
      reply: z.object({
        miners: z.array(minerFacts).max(MINERS_MAX),
        next: z.number().int().optional(),
        /** Connections of this instance, whether they match or not. */
        connections: z.number().int(),
      }),
      idempotent: true,
    }),
  },
});
export type StratumContract = typeof stratum;
