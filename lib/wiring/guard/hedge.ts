// Hedge: a second instance is asked when the first one is slow, and whoever answers first counts.
//
//   begin --> first ------------------ reply --> the caller
//                |no reply in time        ^
//                '--> second, elsewhere --'
//
// For methods that may run twice, whose callers cannot wait for a process that stands still (swapping, stopped, collecting
// garbage) to be given up by its deadline.
//
//   H1. At most two attempts are under way; a service that is slow as a whole is asked twice, not again and again.
//   H2. The slow instance's breaker hears of it. Where the second one answers before the first, the first is left alone at once: it is
//       not the service that is slow, and each further call would pay the wait again.
//   H3. The loser is cancelled. The caller sees a failure only when both have failed.

import type { Clock } from "../clock.js";
import type { Breaker } from "./breaker.js";

/** An attempt under way. */
export interface Runner<T> {
  readonly promise: Promise<unknown>;
  /** Where it is; undefined: nowhere yet. */
  readonly target: T | undefined;
  cancel(reason: string): void;
}

export interface HedgeParts<T> {
  readonly clock: Clock;
  readonly afterMs: number;
  begin(avoid: T | undefined): Runner<T>;
  /** Whether there is another one to ask. */
  hasOther(than: T): boolean;
}

export function hedge<T extends { readonly breaker: Breaker }>(parts: HedgeParts<T>): Promise<unknown> {
  const { clock, afterMs, begin, hasOther } = parts;
  return new Promise((resolve, reject) => {
    const runners: Runner<T>[] = [];
    let failed = 0;
    const run = (runner: Runner<T>): void => {
      runners.push(runner);
      runner.promise.then(
        (reply) => {
          stop();
          const [first] = runners;
          const outran = runner !== first && failed === 0 && first?.target !== runner.target;
          if (outran) first?.target?.breaker.outrun(clock.nowMs()); // H2
          for (const other of runners) if (other !== runner) other.cancel("another instance has answered"); // H3
          resolve(reply);
        },
        (failure: unknown) => {
          failed += 1;
          if (failed < runners.length) return;
          stop();
          reject(failure);
        },
      );
    };
    const stop = clock.after(afterMs, () => {
      const slow = runners[0]?.target;
      if (!slow || !hasOther(slow)) return;
      slow.breaker.timedOut(clock.nowMs()); // H2
      run(begin(slow)); // H1
    });
    run(begin(undefined));
  });
}
