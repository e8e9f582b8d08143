// What another instance must know to go on with a connection: a session as at most 4 kB of bytes.
//
//   session -> encodeSnapshot -> edge (with each answer that changed it) and Redis -> decodeSnapshot -> session
//
//   C4. extranonce1 and difficulty survive, whichever instance comes next.
//   K1. The first element is the format's version. Another version, or bytes that are none of ours, decode to undefined: the
//       connection is then looked up elsewhere or begins anew; nothing is guessed.
//   K2. A field that is added at an end needs no other number: earlier instances ignore it, later ones do without it. So both may run
//       at once, whichever was started later.

import { Packr } from "msgpackr";
import { z } from "zod";
import { type Difficulty, difficulty, jobId, workerName } from "../../lib/contracts/index.js";
import { AGENT_LENGTH_MAX, WORKER_LENGTH_MAX } from "./protocol/fields.js";
import type { Told } from "./session-state.js";
import { SILENT_MAX } from "./vardiff.js";

const VERSION = 2;
/** All worker names of a connection together, so that the whole stays below the edge's 4,096 bytes. */
export const WORKER_BYTES_MAX = 2_048;

const fields = [
  z.literal(VERSION),
  z.string().max(AGENT_LENGTH_MAX),
  z.array(workerName).max(WORKER_BYTES_MAX / 2),
  /** Version bits that were agreed on. */
  z.number().int().min(0).max(0xffff_ffff),
  /** The miner's own least difficulty; 0: none. */
  z.number().nonnegative().finite(),
  /** The miner's wish; 0: none. */
  z.number().nonnegative().finite(),
  /** Absent: not subscribed yet. */
  z
    .tuple([
      z.string().regex(/^([0-9a-f]{2}){1,8}$/),
      difficulty,
      /** The difficulty told last; 0: none yet. */
      z.number().nonnegative().finite(),
      /** The job told last to this connection alone, and its tip; "": none yet. */
      z.union([jobId, z.literal("")]),
      z.string().regex(/^([0-9a-f]{16})?$/),
      /** Windows without a share, of which more make no difference; absent: none. */
      z.number().int().min(0).max(SILENT_MAX).optional(),
    ])
    .rest(z.unknown()) // K2
    .nullable(),
] as const;
const row = z.tuple(fields).rest(z.unknown()); // K2

export interface Snapshot {
  readonly agent: string;
  readonly workers: readonly string[];
  readonly versionMask: number;
  readonly minimum: number;
  readonly wish: number;
  readonly mining?: MiningSnapshot;
}

export interface MiningSnapshot {
  readonly extranonce1: string;
  readonly difficulty: Difficulty;
  readonly announced: Difficulty | undefined;
  readonly told: Told | undefined;
  /** See Window of vardiff.ts; at most SILENT_MAX. */
  readonly silent: number;
}

// Plain arrays: records would make the bytes depend on a structure table that the reader does not have.
const packr = new Packr({ useRecords: false });

export function encodeSnapshot(snapshot: Snapshot): Buffer {
  const { agent, workers, versionMask, minimum, wish, mining } = snapshot;
  return packr.pack([
    VERSION,
    agent,
    workers,
    versionMask,
    minimum,
    wish,
    mining
      ? [
          mining.extranonce1,
          mining.difficulty,
          mining.announced ?? 0,
          mining.told?.job ?? "",
          mining.told?.tip ?? "",
          mining.silent,
        ]
      : null,
  ]);
}

/** Undefined when the bytes are no snapshot of this version (K1). Never throws. */
export function decodeSnapshot(bytes: Uint8Array): Snapshot | undefined {
  const parsed = row.safeParse(unpack(bytes));
  if (!parsed.success) return undefined;
  const [, agent, workers, versionMask, minimum, wish, mining] = parsed.data;
  const common = { agent, workers, versionMask, minimum, wish };
  if (!mining) return common;
  const [extranonce1, wanted, announced, job, tip, silent = 0] = mining;
  return {
    ...common,
    mining: {
      extranonce1,
      difficulty: wanted,
      announced: announced > 0 ? (announced as Difficulty) : undefined,
      told: job === "" ? undefined : { job, tip },
      silent,
    },
  };
}

function unpack(bytes: Uint8Array): unknown {
  try {
    return packr.unpack(bytes);
  } catch {
    return undefined;
  }
}

/** Whether one more name still fits into a snapshot. */
export const fitsWorker = (workers: readonly string[], name: string): boolean =>
  name.length <= WORKER_LENGTH_MAX &&
  workers.reduce((sum, worker) => sum + worker.length + 3, name.length + 3) <= WORKER_BYTES_MAX;
