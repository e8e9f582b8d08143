// Sorting out: which shares of a call are new to this reporter, while Redis cannot be asked. Pure.

import type { ShareOutcome } from "../../lib/contracts/index.js";
import { type CreditedShare, claimOf } from "./ports.js";

type ClaimOf = (identity: Uint8Array) => string | undefined;

/**
 * An outcome for each share, in order; `fresh` are those to keep, each identity once.
 *
 * @param waiting Who brought what waits on disk: the same line again is redelivered.
 * @param recorded Who brought what Redis took lately. The same line again is kept all the same: Redis may come back without it.
 */
export function sortOut(
  credited: readonly CreditedShare[],
  waiting: ClaimOf,
  recorded: ClaimOf,
): { readonly outcomes: ShareOutcome[]; readonly fresh: readonly CreditedShare[] } {
  const fresh = new Map<string, CreditedShare>();
  const outcomes = credited.map((it): ShareOutcome => {
    const { identity } = it.share;
    const name = Buffer.from(identity).toString("latin1");
    const first = fresh.get(name);
    const ours = claimOf(it.share);
    const here = waiting(identity) ?? (first && claimOf(first.share));
    if (here !== undefined) return here === ours ? "redelivered" : "duplicate";
    if ((recorded(identity) ?? ours) !== ours) return "duplicate";
    fresh.set(name, it);
    return "recorded";
  });
  return { outcomes, fresh: [...fresh.values()] };
}
