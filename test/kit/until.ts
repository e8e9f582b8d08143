// until: waits for a condition with a deadline, never for a time.

import { setTimeout as sleep } from "node:timers/promises";

/** Between two looks at the condition. Short enough not to slow a test, long enough to leave the two cores to the servers. */
const LOOK_EVERY_MS = 5;

/**
 * Resolves with what `condition` returned as soon as that is truthy.
 *
 * @param what   Ends the sentence "waited in vain until ...": `the killed instance has left discovery`.
 * @param deadlineMs Whole budget. A condition that throws counts as false; its last error becomes the failure's cause.
 * @throws {Error} naming `what` when the deadline passes.
 */
export async function until<T>(
  what: string,
  deadlineMs: number,
  condition: () => Promise<T> | T,
): Promise<Exclude<T, false | undefined | null | 0 | "">> {
  const end = performance.now() + deadlineMs;
  let last: unknown;
  do {
    try {
      const value = await condition();
      if (value) return value as Exclude<T, false | undefined | null | 0 | "">;
      last = undefined;
    } catch (error) {
      last = error;
    }
    await sleep(LOOK_EVERY_MS);
  } while (performance.now() < end);
  throw new Error(`waited ${deadlineMs} ms in vain until ${what}`, { cause: last });
}
