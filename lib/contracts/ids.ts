// The words that cross between services, each with its own type: mixing two of them up would cost money.

import { z } from "zod";

/**
 * HAProxy's unique id of a client connection (a uuid), or the edge's own where HAProxy is not in front. Key of its
 * state; printable ASCII, so that its characters are its bytes in a record.
 */
export const connectionId = z
  .string()
  .min(1)
  .max(64)
  .regex(/^[\x21-\x7e]+$/)
  .brand<"ConnectionId">();
export type ConnectionId = z.output<typeof connectionId>;

/** Given to the miner in `mining.notify`; at most 8 hex digits, unique over all jobmanagers. */
export const jobId = z
  .string()
  .regex(/^[0-9a-f]{1,8}$/)
  .brand<"JobId">();
export type JobId = z.output<typeof jobId>;

/** An MWEB address has 121 characters, a pair of addresses for merged mining 160, and a rig's name follows either. */
export const WORKER_NAME_LENGTH_MAX = 256;

/** `account.rig` or an address, as the miner authorised it: printable, without spaces. */
export const workerName = z
  .string()
  .min(1)
  .max(WORKER_NAME_LENGTH_MAX)
  .regex(/^[\x21-\x7e]+$/)
  .brand<"WorkerName">();
export type WorkerName = z.output<typeof workerName>;

/** Share difficulty: 1 means one hash in 2^32 on sha256d coins and one in 2^16 on scrypt coins (pool convention). */
export const difficulty = z.number().positive().finite().brand<"Difficulty">();
export type Difficulty = z.output<typeof difficulty>;

/** Wall clock, milliseconds since the epoch. */
export const epochMs = z.number().int().nonnegative().brand<"EpochMs">();
export type EpochMs = z.output<typeof epochMs>;

/** The edge's number of one client line: 1, 2, 3 ... a connection; it goes on above 2^32 x n after the edge's n-th restart. */
export const lineNumber = z.number().int().nonnegative().brand<"LineNumber">();
export type LineNumber = z.output<typeof lineNumber>;

/** An edge's short name for one of its connections: unique for the life of that edge process. */
export const handle = z.number().int().nonnegative().brand<"Handle">();
export type Handle = z.output<typeof handle>;

export const bytes = z.custom<Uint8Array>((value) => value instanceof Uint8Array, "expected bytes");
const exactly = (length: number) =>
  z.custom<Uint8Array>((value) => value instanceof Uint8Array && value.length === length, `expected ${length} bytes`);
/** A hash in internal byte order (as it stands in a header; explorers show it reversed). */
export const bytes32 = exactly(32);
/** A block header. */
export const header80 = exactly(80);
export const uint32 = z.number().int().min(0).max(0xffff_ffff);

export const nowMs = (): EpochMs => Date.now() as EpochMs;
