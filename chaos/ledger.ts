// The ledger: what the pool promised each client, held against what it did. Pure; every check can fail (its tests break each).
//
//   clients --Seen--> see()        faults --Felt--> felt()        the share log --identities--> settle() -> Broken[]
//
// Each check names the promise that it is about, and whatever helps to find the cause: client, moment, faults that were felt.

import { FELT_MS, type Felt, feltBetween } from "./felt.js";
import type { Promised } from "./kinds.js";
import { type Limit, limitOf } from "./limits.js";
import type { AnswerSeen, EndSeen, JobSeen, Seen, SessionSeen, SilenceSeen, StrangeSeen } from "./seen.js";
import { Stalls } from "./stalls.js";
import { type Stretch, type Toll, Tolls } from "./tolls.js";

export { FELT_MS, type Felt } from "./felt.js";
export type { Promised } from "./kinds.js";

export interface Broken {
  readonly promise: Promised;
  readonly what: string;
  readonly client?: number;
  readonly atMs?: number;
  /** Of a stall. */
  readonly waitedMs?: number;
  /** Faults that were felt at that moment. */
  readonly faults: readonly string[];
}

/** What the ledger counted. */
export interface Counts {
  answers: number;
  shares: number;
  accepted: number;
  stale: number;
  refused: number;
  unanswered: number;
  disconnected: number;
  sessions: number;
  resumed: number;
  recorded: number;
  lost: number;
  double: number;
  strange: number;
}

/** A line that was on its way when the edge was killed. */
const ON_ITS_WAY_MS = 250;
/** A share waits for a slow reporter while later questions are answered: an edge killed meanwhile takes its answer along. */
const BEING_WORKED_ON_MS = 5_000;
const STALE = 21;
const DUPLICATE = 22;
/** Broken promises kept with their details, of each promise; beyond, they are counted. */
const DETAILS_MAX = 500;

interface Live {
  readonly extranonce1: string;
}

export class Ledger {
  readonly counts: Counts = {
    ...{ answers: 0, shares: 0, accepted: 0, stale: 0, refused: 0, unanswered: 0, disconnected: 0 },
    ...{ sessions: 0, resumed: 0, recorded: 0, lost: 0, double: 0, strange: 0 },
  };
  readonly stalls = new Stalls();
  readonly broken: Broken[] = [];
  /** All, by promise, those without details included. */
  readonly brokenCounts = new Map<Promised, number>();
  readonly #tolls = new Tolls();
  readonly #felt: Felt[] = [];
  readonly #live = new Map<number, Live>();
  /** Extranonce1 -> the client that lives under it. */
  readonly #holders = new Map<string, number>();
  readonly #heights = new Map<number, number>();
  /** Identity -> the answer that was `true`. */
  readonly #accepted = new Map<string, { readonly client: number; readonly askedMs: number; readonly atMs: number }>();

  /** @param patience Times what a client may wait, and how long a fault is felt; 1: as promised. More is for machines that have other things to do. */
  constructor(private readonly patience = 1) {}

  felt(fault: Felt): void {
    this.#felt.push(fault);
  }

  /** This program was late itself, so what it measured then may be its own. */
  late(stretch: Stretch): void {
    this.#tolls.late(stretch);
  }

  /** No processor had any time left. */
  busy(stretch: Stretch): void {
    this.#tolls.busy(stretch);
  }

  /** What each fault cost, in the order in which they came. */
  get tolls(): Toll[] {
    return this.#tolls.all(this.#felt, FELT_MS * this.patience);
  }

  see(seen: Seen): void {
    if (seen.kind === "session") this.#session(seen);
    else if (seen.kind === "end") this.#end(seen);
    else if (seen.kind === "job") this.#job(seen);
    else if (seen.kind === "answer") this.#answer(seen);
    else if (seen.kind === "silence") this.#silence(seen);
    else this.#strange(seen);
  }

  /** An instance that was broken did not come back in time. */
  notBack(what: string, atMs: number): void {
    this.#breaks("C1", what, undefined, atMs);
  }

  /** How many shares that were answered true are not among these. */
  missing(log: ReadonlySet<string>): number {
    let missing = 0;
    for (const identity of this.#accepted.keys()) if (!log.has(identity)) missing += 1;
    return missing;
  }

  /** After all is said: what became of the shares. @param log Identities as they stand in the share log. */
  settle(log: Iterable<string>): void {
    const found = new Map<string, number>();
    for (const identity of log) {
      this.counts.recorded += 1;
      const times = (found.get(identity) ?? 0) + 1;
      found.set(identity, times);
      if (times !== 2) continue;
      this.counts.double += 1;
      const of = this.#accepted.get(identity);
      this.#breaks("S1", `share ${identity} stands in the log more than once`, of?.client, of?.askedMs, of?.atMs);
    }
    for (const [identity, { client, askedMs, atMs }] of this.#accepted) {
      if (found.has(identity)) continue;
      this.counts.lost += 1;
      this.#breaks("S1", `share ${identity} was answered true and is not in the log`, client, askedMs, atMs);
    }
  }

  #session({ client, extranonce1, before, atMs }: SessionSeen): void {
    this.counts.sessions += 1;
    if (before !== undefined) this.counts.resumed += 1;
    if (before !== undefined && before !== extranonce1)
      this.#breaks(
        "C4",
        `came back with its session id for extranonce1 ${before} and got ${extranonce1}`,
        client,
        atMs,
      );
    const holder = this.#holders.get(extranonce1);
    if (holder !== undefined && holder !== client)
      this.#breaks("C4", `got extranonce1 ${extranonce1}, under which client ${holder} lives`, client, atMs);
    this.#live.set(client, { extranonce1 });
    this.#holders.set(extranonce1, client);
  }

  #end({ client, by, why, atMs }: EndSeen): void {
    const live = this.#live.get(client);
    if (live && this.#holders.get(live.extranonce1) === client) this.#holders.delete(live.extranonce1);
    this.#live.delete(client);
    this.#heights.delete(client);
    if (by === "us") return;
    this.counts.disconnected += 1;
    this.#breaks(this.#disconnecting(atMs), `was disconnected (${why})`, client, atMs);
  }

  #job({ client, job, height, atMs }: JobSeen): void {
    const before = this.#heights.get(client) ?? 0;
    if (height < before)
      this.#breaks("J1", `was told job ${job} of height ${height} after one of height ${before}`, client, atMs);
    this.#heights.set(client, height);
  }

  #answer(answer: AnswerSeen): void {
    const { client, method, askedMs, atMs, share, refused } = answer;
    this.counts.answers += 1;
    this.#stall(client, `for the answer to ${method}`, askedMs, atMs);
    if (share) this.counts.shares += 1;
    if (refused) this.#refused(answer, refused);
    else if (share && this.#accepted.has(share.identity))
      this.#breaks("S2", `share ${share.identity} was answered true twice`, client, askedMs, atMs);
    else if (share) {
      this.counts.accepted += 1;
      this.#accepted.set(share.identity, { client, askedMs, atMs });
    }
  }

  #refused({ client, method, askedMs, atMs, share }: AnswerSeen, { code, text }: { code: number; text: string }): void {
    // A new tip makes shares stale; the client has been told of it, since what a backend says keeps its order.
    if (code === STALE && share && (this.#heights.get(client) ?? 0) > share.height) {
      this.counts.stale += 1;
      return;
    }
    this.counts.refused += 1;
    const promise = code === STALE ? "J1" : code === DUPLICATE ? "S2" : "S1";
    const which = share ? `an honest share of height ${share.height}` : `an honest ${method}`;
    this.#breaks(promise, `${which} was refused: ${code} ${text}`, client, askedMs, atMs);
  }

  #silence({ client, method, askedMs, laterMs, share }: SilenceSeen): void {
    this.counts.unanswered += 1;
    if (share) this.counts.shares += 1;
    const untilMs = Math.max(laterMs ?? Number.POSITIVE_INFINITY, askedMs + BEING_WORKED_ON_MS);
    const excused = this.#felt.some(
      ({ kind, fromMs }) => kind.losesLines && fromMs >= askedMs - ON_ITS_WAY_MS && fromMs <= untilMs,
    );
    if (laterMs !== undefined) this.#stall(client, `after the lost ${method}`, askedMs, laterMs);
    if (!excused) this.#breaks("L1", `${method} got no answer`, client, askedMs, laterMs);
  }

  #strange({ client, atMs, line, why }: StrangeSeen): void {
    this.counts.strange += 1;
    this.#breaks("L1", `heard a line of which ${why}: ${line}`, client, atMs);
  }

  #stall(client: number, what: string, fromMs: number, untilMs: number): void {
    const waitedMs = untilMs - fromMs;
    const felt = this.#feltBetween(fromMs, untilMs);
    this.stalls.add(waitedMs, new Set(felt.map(({ kind }) => kind.name)), client);
    const limit = this.#limit(felt);
    this.#tolls.add(felt, waitedMs, limit, waitedMs > limit.ms);
    if (waitedMs <= limit.ms) return;
    const said = `waited ${Math.round(waitedMs)} ms ${what}, more than ${Math.round(limit.ms)} ms (${limit.why})`;
    this.#breaks(limit.promise, said, client, fromMs, untilMs);
  }

  #limit(felt: readonly Felt[]): Limit {
    const limit = limitOf(felt);
    return { ...limit, ms: limit.ms * this.patience };
  }

  #disconnecting(atMs: number): Promised {
    const families = new Set(this.#feltBetween(atMs, atMs).map(({ kind }) => kind.family));
    if (families.has("edge")) return "C2";
    return families.has("haproxy") || families.has("redis") ? "C3" : "C1";
  }

  #feltBetween(fromMs: number, untilMs: number): Felt[] {
    return feltBetween(this.#felt, fromMs, untilMs, this.patience);
  }

  #breaks(promise: Promised, what: string, client?: number, fromMs?: number, untilMs = fromMs): void {
    const times = (this.brokenCounts.get(promise) ?? 0) + 1;
    this.brokenCounts.set(promise, times);
    if (times > DETAILS_MAX) return;
    const felt = fromMs === undefined ? [] : this.#feltBetween(fromMs, untilMs ?? fromMs);
    const faults = felt.map(({ number, kind, target }) => `#${number} ${kind.name} ${target}`);
    const who = client === undefined ? {} : { client };
    const when = fromMs === undefined ? {} : { atMs: fromMs, waitedMs: Math.round((untilMs ?? fromMs) - fromMs) };
    this.broken.push({ promise, what, ...who, ...when, faults });
  }
}
