// Durations: how long anything may be told to wait.
//
// Node's timers count in 31 bits of milliseconds and fire AT ONCE when they are given more; budgets cross the network in 32 bits. A duration
// from outside (settings, a command line, an option) is checked here by one maximum, so that none of them ever wraps.

import { z } from "zod";

/** The longest duration: what a timer of Node takes, 24.8 days. */
export const DURATION_MAX_MS = 2_147_483_647;
/** The same for what is said in seconds. */
export const DURATION_MAX_SECONDS = Math.floor(DURATION_MAX_MS / 1_000);

/** Of a settings schema: whole milliseconds. What only Redis waits for (a time to live) may be longer and does not need this. */
export const durationMs = (min = 1, max = DURATION_MAX_MS) => z.number().int().min(min).max(max);

/** setTimeout for any number of milliseconds: longer than a timer takes is waited for in parts; Infinity never comes. @returns the way to stop it. */
export function afterMs(ms: number, run: () => void): () => void {
  if (Number.isNaN(ms)) throw new RangeError("a duration of NaN milliseconds is none");
  if (ms === Number.POSITIVE_INFINITY) return () => {};
  let timer: NodeJS.Timeout;
  const wait = (leftMs: number): void => {
    const partMs = Math.min(leftMs, DURATION_MAX_MS);
    timer = setTimeout(() => (leftMs > partMs ? wait(leftMs - partMs) : run()), partMs);
  };
  wait(ms);
  return () => clearTimeout(timer);
}
