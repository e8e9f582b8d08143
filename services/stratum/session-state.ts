// What a session is, and what a step of it asks for: the words that session.ts, receive.ts and difficulty.ts share.

import {
  type ConnectionId,
  type Difficulty,
  type Job,
  type JobId,
  jobId,
  type RejectReason,
  type WorkerName,
} from "../../lib/contracts/index.js";
import { type JobBook, tipOf } from "./jobs.js";
import type { Submit } from "./protocol/requests.js";
import type { ListenerRules, Settings } from "./settings.js";
import type { Window } from "./vardiff.js";

interface Common {
  /** Also the session id that the miner is given. */
  readonly connection: ConnectionId;
  readonly openedAtMs: number;
  readonly agent: string;
  readonly workers: readonly WorkerName[];
  /** Bits agreed on in mining.configure, before a job narrows them; 0: none. */
  readonly versionMask: number;
  /** The miner's own least difficulty (BIP 310) and its wish; 0: none. */
  readonly minimum: number;
  readonly wish: number;
  /** Lines that were no requests. */
  readonly garbled: number;
}

export interface Greeting extends Common {
  readonly phase: "greeting";
}
export interface Enlisting extends Common {
  readonly phase: "enlisting";
  /** Of the subscribe that waits for its answer. */
  readonly id: string;
}
export interface Mining extends Common {
  readonly phase: "mining";
  readonly extranonce1: string;
  /** See difficulty.ts for these two. */
  readonly difficulty: Difficulty;
  readonly announced: Difficulty | undefined;
  /** What it was told alone; broadcasts may have followed. Undefined: nothing yet. */
  readonly told: Told | undefined;
  readonly window: Window;
}
/** Work that a client has heard of. */
export interface Told {
  readonly job: JobId;
  /** The first 8 bytes of the previous hash, hex: enough to tell tips apart. */
  readonly tip: string;
}
export const toldOf = (job: Job): Told => ({ job: job.id, tip: tipOf(job).slice(0, 16) });

/** As an edge keeps it beside the connection: `<job id> <tip>`. */
export const writeTold = ({ job, tip }: Told): string => `${job} ${tip}`;

/** Undefined: it was not written by writeTold. */
export function readTold(text: string): Told | undefined {
  const [job, tip = ""] = text.split(" ");
  const parsed = jobId.safeParse(job);
  return parsed.success ? { job: parsed.data, tip } : undefined;
}

export type Session = Greeting | Enlisting | Mining;

export interface Context {
  readonly settings: Settings;
  readonly rules: ListenerRules;
  readonly book: JobBook;
  /** Whether this worker name may mine here. */
  readonly admits: (worker: string) => boolean;
  /** No coin daemon has answered for too long: nobody is taken in. */
  readonly workless: boolean;
  /** Monotonic. */
  readonly nowMs: number;
  /** Wall clock. */
  readonly seconds: number;
  /** Of the variant of an announcement to one connection: 0 to SALT_MAX, a new one for each. */
  salt(): number;
}

/** What the outside is asked to do, in this order. */
export type Effect =
  /** To the client, newline included. */
  | { readonly kind: "say"; readonly text: string }
  /** The snapshot changed. */
  | { readonly kind: "save" }
  /** The edge lacks the snapshot, which shared state has. */
  | { readonly kind: "carry" }
  /** It was told work alone: `session.told`. */
  | { readonly kind: "told" }
  /** It hears broadcasts from now on. */
  | { readonly kind: "join" }
  /** Find its extranonce1: the one of that session, if nobody holds it. */
  | { readonly kind: "enlist"; readonly resume?: string }
  /** Judge this share and answer it under `id`. */
  | { readonly kind: "judge"; readonly id: string; readonly submit: Submit }
  /** Counted. */
  | { readonly kind: "reject"; readonly worker: string; readonly reason: RejectReason }
  | { readonly kind: "garbled" }
  | { readonly kind: "turned-away" }
  | { readonly kind: "close"; readonly text: string };

export interface Step<S extends Session = Session> {
  readonly session: S;
  readonly effects: readonly Effect[];
}

export const say = (text: string): Effect => ({ kind: "say", text });
