// conduct: how the clients of each address behave, and when an address has to be shut out. Pure but for its clock.
//
//   good share, refused share, garbled line (by address) --> counts of a window --> offence --> out-doors.ts
//
// An instance sees a part of an address' connections: before anybody is shut out, the good shares of all instances are asked for.
//
//   M1. A farm shares one address: while good shares come from it, garbled lines alone are no offence, and refused shares only
//       when nearly all are. One broken or hostile device must not take its neighbours along.
//   M2. Only what a client itself got wrong counts: stale shares, and those of a session that was lost, do not.
//   M3. Bounded: ADDRESSES_MAX addresses; of more, those of which nothing was heard for longest are forgotten.

import type { BanReason, RejectReason } from "../../lib/contracts/index.js";
import type { Settings } from "./settings.js";

/** Some 150 bytes each. */
export const ADDRESSES_MAX = 50_000;
/** M2 */
const OWN_FAULTS: ReadonlySet<RejectReason> = new Set(["low-difficulty", "duplicate", "unauthorized"]);

export interface Offence {
  readonly reason: Extract<BanReason, "garbage" | "invalid-shares">;
  /** Invalid shares in the window. */
  readonly bad: number;
}

/** Whether it is one still, when all instances together have seen so many good shares of the address. */
export function stands({ reason, bad }: Offence, good: number, rules: Settings["conduct"]): boolean {
  return reason === "garbage" ? good === 0 : bad / (bad + good) >= rules.invalidSharesPart;
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
  onGoodShare(address: string): void;
  /** As far as this instance sees. */
  onOffence(address: string, offence: Offence): void;
}

export class Conduct {
  /** Least recently heard first. */
  readonly #addresses = new Map<string, Counts>();

  constructor(private readonly options: ConductOptions) {}

  goodShare(address: string): void {
    this.#counts(address).good++;
    this.options.onGoodShare(address);
  }

  refusedShare(address: string, reason: RejectReason): void {
    if (!OWN_FAULTS.has(reason)) return;
    const counts = this.#counts(address);
    counts.bad++;
    if (counts.bad >= this.options.rules.invalidSharesMin) this.#weigh(address, counts, "invalid-shares");
  }

  garbledLine(address: string): void {
    const counts = this.#counts(address);
    counts.garbled++;
    if (counts.garbled >= this.options.rules.garbledLinesMax) this.#weigh(address, counts, "garbage");
  }

  /** M1. What it does after an offence counts anew. */
  #weigh(address: string, { good, bad }: Counts, reason: Offence["reason"]): void {
    if (!stands({ reason, bad }, good, this.options.rules)) return;
    this.#addresses.delete(address);
    this.options.onOffence(address, { reason, bad });
  }

  #counts(address: string): Counts {
    const nowMs = this.options.nowMs();
    const known = this.#addresses.get(address);
    this.#addresses.delete(address);
    const over = known === undefined || nowMs - known.sinceMs > this.options.rules.windowMs;
    const counts = over ? { sinceMs: nowMs, good: 0, bad: 0, garbled: 0 } : known;
    if (this.#addresses.size >= ADDRESSES_MAX) {
      for (const eldest of this.#addresses.keys()) {
        this.#addresses.delete(eldest); // M3
        break;
      }
    }
    this.#addresses.set(address, counts);
    return counts;
  }
}
