// What clients tell the ledger: facts that they saw, each with its moment, and no judgement.
//
// Times are milliseconds since the epoch, from a clock that never goes back (performance.timeOrigin + performance.now()): all
// threads of a run share it.

export const clockMs = (): number => performance.timeOrigin + performance.now();

interface OfClient {
  /** Number of the client, 0 to C - 1. */
  readonly client: number;
}

/** A share as its miner knows it. */
export interface MadeShare {
  /** sha256d of its header, hex: what it stands under in the share log. */
  readonly identity: string;
  /** Of the job that it was made for. */
  readonly height: number;
}

interface Question extends OfClient {
  readonly method: string;
  readonly askedMs: number;
  /** Of a submit. */
  readonly share?: MadeShare | undefined;
}

/** A subscribe was answered: from now on the client lives under this extranonce1. */
export interface SessionSeen extends OfClient {
  readonly kind: "session";
  readonly atMs: number;
  readonly session: string;
  readonly extranonce1: string;
  /** What it had before, when it came back with its session id. */
  readonly before?: string | undefined;
}

/** The connection ended: because we closed it, or because the pool did. */
export interface EndSeen extends OfClient {
  readonly kind: "end";
  readonly atMs: number;
  readonly by: "us" | "pool";
  readonly why: string;
}

export interface JobSeen extends OfClient {
  readonly kind: "job";
  readonly atMs: number;
  readonly job: string;
  readonly height: number;
}

export interface AnswerSeen extends Question {
  readonly kind: "answer";
  readonly atMs: number;
  /** Absent: the answer is what was hoped for (`true` for a share). */
  readonly refused?: { readonly code: number; readonly text: string };
}

/** A question that got no answer to the end of the connection or the run. */
export interface SilenceSeen extends Question {
  readonly kind: "silence";
  /** When a question that was asked later got its answer; absent: none did. */
  readonly laterMs?: number | undefined;
}

/** A line that belongs to no question and is no notification, or one that makes no sense. */
export interface StrangeSeen extends OfClient {
  readonly kind: "strange";
  readonly atMs: number;
  readonly line: string;
  readonly why: string;
}

export type Seen = SessionSeen | EndSeen | JobSeen | AnswerSeen | SilenceSeen | StrangeSeen;
