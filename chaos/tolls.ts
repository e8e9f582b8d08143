// Tolls: what each single fault cost. Its longest wait, how many were beyond the limit, and what the machine did meanwhile.
//
//   A wait that several faults share is counted for each of them. Nothing is ever subtracted: how late the clients' own thread was,
//   and how long every processor was busy without a pause, stand beside the waits, for a reader to judge.

import type { Felt } from "./felt.js";
import type { Limit } from "./limits.js";

/** A stretch of time in which this program was late, or the machine had nothing left. */
export interface Stretch {
  readonly fromMs: number;
  readonly untilMs: number;
}

export interface Toll {
  readonly number: number;
  readonly kind: string;
  readonly target: string;
  readonly fromMs: number;
  readonly untilMs: number | undefined;
  readonly worstMs: number;
  readonly beyond: number;
  /** The limit of the worst wait, and why that one. */
  readonly limitMs: number;
  readonly promise: string;
  readonly why: string;
  /** Longest delay of the clients' own thread, and longest stretch of busy processors, milliseconds, while it was felt. */
  readonly ownDelayMs: number;
  readonly busyMs: number;
}

interface Sum {
  worstMs: number;
  beyond: number;
  limit: Limit | undefined;
}

export class Tolls {
  readonly #sums = new Map<Felt, Sum>();
  readonly #late: Stretch[] = [];
  readonly #busy: Stretch[] = [];

  add(felt: readonly Felt[], waitedMs: number, limit: Limit, beyond: boolean): void {
    for (const fault of felt) {
      let sum = this.#sums.get(fault);
      if (!sum) {
        sum = { worstMs: 0, beyond: 0, limit: undefined };
        this.#sums.set(fault, sum);
      }
      if (beyond) sum.beyond += 1;
      if (waitedMs < sum.worstMs) continue;
      sum.worstMs = waitedMs;
      sum.limit = limit;
    }
  }

  late(stretch: Stretch): void {
    this.#late.push(stretch);
  }

  busy(stretch: Stretch): void {
    this.#busy.push(stretch);
  }

  /** @param feltMs How long after its end a fault is felt. */
  all(felt: readonly Felt[], feltMs: number): Toll[] {
    return felt.map((fault) => {
      const { number, kind, target, fromMs, untilMs } = fault;
      const { worstMs, beyond, limit } = this.#sums.get(fault) ?? { worstMs: 0, beyond: 0, limit: undefined };
      const end = (untilMs ?? Number.POSITIVE_INFINITY) + feltMs;
      return {
        ...{ number, kind: kind.name, target, fromMs, untilMs, worstMs: Math.round(worstMs), beyond },
        ...{
          limitMs: limit?.ms ?? kind.stallMaxMs,
          promise: limit?.promise ?? kind.promise,
          why: limit?.why ?? kind.why,
        },
        ownDelayMs: longest(this.#late, fromMs, end),
        busyMs: longest(this.#busy, fromMs, end),
      };
    });
  }
}

function longest(stretches: readonly Stretch[], fromMs: number, untilMs: number): number {
  let most = 0;
  for (const stretch of stretches) {
    if (stretch.fromMs <= untilMs && stretch.untilMs >= fromMs) most = Math.max(most, stretch.untilMs - stretch.fromMs);
  }
  return Math.round(most);
}
