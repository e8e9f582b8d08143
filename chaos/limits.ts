// Limits: what a client may wait for an answer while faults are felt, by which promise, and why. Pure.
//
//   C1   1 s, always, and while an instance of stratum, jobmanager or reporter is broken and another one lives.
//   C2   2 s while an edge that was killed is felt.
//   Where neither C1 nor C2 speaks of waiting, the kind says what is asked for all the same, and why (kinds.ts).
//
// Faults that are felt together: the greatest of their limits, and the time of those in which nobody can be served.

import type { Felt } from "./felt.js";
import { C1_MS, type Promised } from "./kinds.js";

export interface Limit {
  readonly ms: number;
  readonly promise: Promised;
  readonly why: string;
}

const ALWAYS: Limit = { ms: C1_MS, promise: "C1", why: "a backend lives" };
/** A process that starts asks Redis for its peers, and no promise says that it could do without. */
const UNLIMITED: Limit = {
  ms: Number.POSITIVE_INFINITY,
  promise: "C2",
  why: "no edge is left and none can start: Redis, which knows the backends, is away",
};

export function limitOf(felt: readonly Felt[]): Limit {
  const away = felt.some(({ kind }) => kind.redisAway);
  if (away && felt.some(({ kind }) => kind.startsAnew)) return UNLIMITED;
  let most = ALWAYS;
  let lastingMs = 0;
  for (const { kind, fromMs, untilMs } of felt) {
    const { stallMaxMs: ms, promise, why } = kind;
    if (ms > most.ms || (ms === most.ms && most === ALWAYS)) most = { ms, promise, why };
    if (kind.lasting) lastingMs += (untilMs ?? Number.POSITIVE_INFINITY) - fromMs;
  }
  return { ...most, ms: most.ms + lastingMs };
}
