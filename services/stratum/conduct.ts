// conduct: how clients behave, when a connection has to be closed, and when an address has to be shut out. Pure but for its clock.
//
//   good share, refused share, garbled line --> counts of a window, by connection and by source --> offence --> out-doors.ts
//
// An instance sees a part of a source's connections: before anybody is shut out, the good shares of all instances are asked for.
//
//   M1. A farm shares one address: what one broken or hostile device does must not take its neighbours along. A connection nearly all of
//       whose shares are invalid is closed, and its good ones vouch for nobody; its address is banned only when no other connection
//       there has a good share. Garbled lines close their connection (session.ts) and are an offence by the same rule.
//   M2. Only what a client itself got wrong counts: stale shares, and those of a session that was lost, do not.
//   M3. Bounded: SOURCES_MAX sources (an address, or an IPv6 /64); of more, those of which nothing was heard for longest are forgotten.

import type { BanReason, RejectReason } from "../../lib/contracts/index.js";
import type { Settings } from "./settings.js";

/** Some 150 bytes each. */
export const SOURCES_MAX = 50_000;
/** M2 */
const OWN_FAULTS: ReadonlySet<RejectReason> = new Set(["low-difficulty", "duplicate", "unauthorized"]);

export interface Offence {
  readonly reason: Extract<BanReason, "garbage" | "invalid-shares">;
  /** Invalid shares of the source in the window. */
  readonly bad: number;
}

/** M1. Whether it is one still, when all instances together have seen so many good shares of the source. */
export const stands = (good: number): boolean => good <= 0;

/** What one connection did in its window. */
export interface Behaviour {
  sinceMs: number;
  good: number;
  bad: number;
}
export const newBehaviour = (): Behaviour => ({ sinceMs: Number.NEGATIVE_INFINITY, good: 0, bad: 0 });

export interface Device {
  readonly source: string;
  readonly behaviour: Behaviour;
}

interface Counts {
  sinceMs: number;
  good: number;
  bad: number;
  garbled: number;
}

export interface ConductOptions {
  readonly rules: Settings["conduct"];
  nowMs(): number;
  onGoodShare(source: string): void;
  /** So many of the source's good shares vouch for nobody any more. */
  onWithdrawn(source: string, shares: number): void;
  /** As far as this instance sees. */
  onOffence(source: string, offence: Offence): void;
}

export class Conduct {
  /** Least recently heard first. */
  readonly #sources = new Map<string, Counts>();

  constructor(private readonly options: ConductOptions) {}

  goodShare({ source, behaviour }: Device): void {
    this.#counts(source).good++;
    this.#current(behaviour).good++;
    this.options.onGoodShare(source);
  }

  /** Returns whether the connection must be closed (M1). */
  refusedShare({ source, behaviour }: Device, reason: RejectReason): boolean {
    if (!OWN_FAULTS.has(reason)) return false; // M2
    const { invalidSharesMin, invalidSharesPart } = this.options.rules;
    const counts = this.#counts(source);
    const own = this.#current(behaviour);
    counts.bad++;
    own.bad++;
    const hostile = own.bad >= invalidSharesMin && own.bad / (own.bad + own.good) >= invalidSharesPart;
    if (hostile) this.#withdraw(source, counts, own);
    if (counts.bad >= invalidSharesMin) this.#weigh(source, counts, "invalid-shares");
    return hostile;
  }

  garbledLine(source: string): void {
    const counts = this.#counts(source);
    counts.garbled++;
    if (counts.garbled >= this.options.rules.garbledLinesMax) this.#weigh(source, counts, "garbage");
  }

  #withdraw(source: string, counts: Counts, own: Behaviour): void {
    counts.good = Math.max(0, counts.good - own.good);
    if (own.good > 0) this.options.onWithdrawn(source, own.good);
    Object.assign(own, newBehaviour());
  }

  /** What it does after an offence counts anew. */
  #weigh(source: string, { good, bad }: Counts, reason: Offence["reason"]): void {
    if (!stands(good)) return;
    this.#sources.delete(source);
    this.options.onOffence(source, { reason, bad });
  }

  #current(behaviour: Behaviour): Behaviour {
    const nowMs = this.options.nowMs();
    const isOver = nowMs - behaviour.sinceMs > this.options.rules.windowMs;
    return isOver ? Object.assign(behaviour, { sinceMs: nowMs, good: 0, bad: 0 }) : behaviour;
  }

  #counts(source: string): Counts {
    const nowMs = this.options.nowMs();
    const known = this.#sources.get(source);
    this.#sources.delete(source);
    const over = known === undefined || nowMs - known.sinceMs > this.options.rules.windowMs;
    const counts = over ? { sinceMs: nowMs, good: 0, bad: 0, garbled: 0 } : known;
    if (this.#sources.size >= SOURCES_MAX) {
      for (const eldest of this.#sources.keys()) {
        this.#sources.delete(eldest); // M3
        break;
      }
    }
    this.#sources.set(source, counts);
    return counts;
  }
}
