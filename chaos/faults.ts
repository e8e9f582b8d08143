// Faults: carries a schedule out, each at its time, never two of one family at once.
//
//   F1. A fault waits until its family is whole again: C1 promises nothing to a service that has no instance left.
//   F2. A fault that cannot begin within HOLD_MS is left out and told; what does not come back is a broken promise.

import { setTimeout as delay } from "node:timers/promises";
import { ACTS, NotBack, NUMBERS, until, whole } from "./acts.js";
import type { Felt, Ledger } from "./ledger.js";
import type { Fault } from "./schedule.js";
import { clockMs } from "./seen.js";
import type { Stage } from "./stage.js";

const HOLD_MS = 20_000;

export interface Done {
  /** Kind -> how often. */
  readonly done: Map<string, number>;
  readonly leftOut: Fault[];
}

export interface FaultOptions {
  readonly stage: Stage;
  readonly ledger: Ledger;
  readonly signal: AbortSignal;
  tell(text: string): void;
}

/** Resolves when the last one is over and all is whole. */
export async function carryOut(schedule: readonly Fault[], options: FaultOptions): Promise<Done> {
  const done: Done = { done: new Map(), leftOut: [] };
  const families = new Map<string, Promise<void>>();
  const fromMs = performance.now();
  try {
    for (const fault of schedule) {
      await delay(Math.max(0, fromMs + fault.atMs - performance.now()), undefined, { signal: options.signal });
      const before = families.get(fault.kind.family) ?? Promise.resolve();
      const dueMs = performance.now();
      const act = before.then(() => one(fault, dueMs, done, options));
      act.catch(() => {}); // Met below, when all are awaited.
      families.set(fault.kind.family, act);
    }
    await Promise.all(families.values());
  } finally {
    await Promise.allSettled(families.values()); // Whatever lasts is undone before the stage is.
  }
  return done;
}

async function one(fault: Fault, dueMs: number, done: Done, options: FaultOptions): Promise<void> {
  const { stage, ledger, signal, tell } = options;
  const { kind, number } = fault;
  const act = ACTS[kind.name];
  const holds = NUMBERS[kind.family] === undefined || (await standsWhole(fault, dueMs, options)); // F1
  if (!act || !holds || performance.now() - dueMs > HOLD_MS) {
    done.leftOut.push(fault); // F2
    tell(`#${number} ${kind.name} left out: its family was not whole in time`);
    return;
  }
  let felt: Felt | undefined;
  const begins = (target: string) => {
    felt = { number, kind, target, fromMs: clockMs(), untilMs: undefined };
    ledger.felt(felt);
    tell(`#${number} ${kind.name}: ${target}`);
    done.done.set(kind.name, (done.done.get(kind.name) ?? 0) + 1);
  };
  const over = () => {
    if (felt) felt.untilMs ??= clockMs();
  };
  try {
    await act({ stage, fault, begins, over, signal });
  } catch (error) {
    if (!(error instanceof NotBack)) throw error;
    ledger.notBack(`#${number} ${kind.name}: ${error.message}`, clockMs());
  } finally {
    over();
  }
}

async function standsWhole(fault: Fault, dueMs: number, { stage, signal }: FaultOptions): Promise<boolean> {
  const { family } = fault.kind;
  const leftMs = HOLD_MS - (performance.now() - dueMs);
  try {
    await until(`${family} is whole`, signal, () => whole(stage, family), leftMs);
    return true;
  } catch (error) {
    if (error instanceof NotBack) return false;
    throw error;
  }
}
