// Balance: which of the live instances takes a call. The one with the least calls outstanding; equal ones in turn.

import type { Breaker } from "./breaker.js";

export interface Candidate {
  readonly outstanding: number;
  readonly breaker: Breaker;
}

/**
 * @param candidates Ready instances.
 * @param start Where to begin looking: pass a counter, so that equally idle ones are used in turn.
 * @param avoid Where the last attempt failed; chosen only when there is nothing else.
 * @returns undefined when there is none, or every breaker is open.
 */
export function leastOutstanding<T extends Candidate>(
  candidates: readonly T[],
  start: number,
  nowMs: () => number,
  avoid?: T,
): T | undefined {
  let best: T | undefined;
  for (let i = 0; i < candidates.length; i += 1) {
    const candidate = candidates[(start + i) % candidates.length];
    if (!candidate || candidate === avoid || (candidate.breaker.open && !candidate.breaker.allows(nowMs()))) continue;
    if (!best || candidate.outstanding < best.outstanding) best = candidate;
    if (best.outstanding === 0) return best; // Nothing can beat it.
  }
  if (best || !avoid || !candidates.includes(avoid)) return best;
  return avoid.breaker.allows(nowMs()) ? avoid : undefined;
}
