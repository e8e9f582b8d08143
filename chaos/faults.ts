// Faults: carries a schedule out, each at its time or when its turn comes, never two of one family at once.
//
//   F1. A fault waits until its family is whole again: C1 promises nothing to a service that has no instance left.
//   F2. A fault that cannot begin within HOLD_MS, or not on this machine, is left out and told; what does not come back is a
//       broken promise.
//   F3. At most two are under way at once, from their beginning until all is whole again: the promises speak of one, the second one
//       is there because no operator was ever asked. What has no turn before the run is over is left out and told.

import { setTimeout as delay } from "node:timers/promises";
import { ACTS, NotBack, NUMBERS, Unfit, until, whole } from "./acts/index.js";
import type { Family, Kind } from "./kinds.js";
import type { Felt, Ledger } from "./ledger.js";
import type { Fault } from "./schedule.js";
import { clockMs } from "./seen.js";
import type { Stage } from "./stage.js";

const HOLD_MS = 20_000;
/** F3. */
const AT_ONCE_MAX = 2;

export interface LeftOut {
  readonly kind: string;
  readonly why: string;
}

export interface Done {
  /** Kind -> how often. */
  readonly done: Map<string, number>;
  readonly leftOut: LeftOut[];
}

export interface FaultOptions {
  readonly stage: Stage;
  readonly ledger: Ledger;
  readonly signal: AbortSignal;
  /** No fault begins later than this after the first moment. */
  readonly lastMs: number;
  tell(text: string): void;
}

/** Resolves when the last one is over and all is whole. */
export async function carryOut(schedule: readonly Fault[], options: FaultOptions): Promise<Done> {
  const done: Done = { done: new Map(), leftOut: [] };
  const last = new Map<Family, Promise<void>>();
  const fromMs = performance.now();
  const underWay = new Set<Promise<unknown>>();
  try {
    for (const fault of schedule) {
      await delay(Math.max(0, fromMs + fault.atMs - performance.now()), undefined, { signal: options.signal });
      while (underWay.size >= AT_ONCE_MAX) await Promise.race(underWay); // F3
      if (performance.now() - fromMs > options.lastMs) {
        done.leftOut.push({ kind: fault.kind.name, why: "its turn did not come before the end of the run" });
        continue;
      }
      const families = familiesOf(fault.kind);
      const before = Promise.all(families.map((family) => last.get(family)));
      const dueMs = performance.now();
      const act = before.then(() => one(fault, dueMs, done, options));
      const ended = act.catch(() => {}).finally(() => underWay.delete(ended)); // Its failure is met below, when all are awaited.
      underWay.add(ended);
      for (const family of families) last.set(family, act);
    }
    await Promise.all(last.values());
  } finally {
    await Promise.allSettled(last.values()); // Whatever lasts is undone before the stage is.
  }
  return done;
}

const familiesOf = ({ family, also }: Kind): readonly Family[] => [family, ...also];

async function one(fault: Fault, dueMs: number, done: Done, options: FaultOptions): Promise<void> {
  const { tell, stage } = options;
  const { kind, number } = fault;
  const leave = (why: string) => {
    done.leftOut.push({ kind: kind.name, why }); // F2
    tell(`#${number} ${kind.name} left out: ${why}`);
  };
  const lacking = stage.lacking.get(kind.name);
  if (lacking !== undefined) return leave(lacking);
  const holds = await standsWhole(fault, dueMs, options); // F1
  if (!holds || performance.now() - dueMs > HOLD_MS) return leave("its family was not whole in time");
  const begun = (target: string) => {
    tell(`#${number} ${kind.name}: ${target}`);
    done.done.set(kind.name, (done.done.get(kind.name) ?? 0) + 1);
  };
  try {
    await perform(fault, begun, options);
  } catch (error) {
    if (!(error instanceof Unfit)) throw error;
    leave(error.message);
  }
}

async function perform(fault: Fault, begun: (target: string) => void, options: FaultOptions): Promise<void> {
  const { stage, ledger, signal } = options;
  const { kind, number } = fault;
  let felt: Felt | undefined;
  const begins = (target: string) => {
    felt = { number, kind, target, fromMs: clockMs(), untilMs: undefined };
    ledger.felt(felt);
    if (kind.family === "redis") stage.redisBroken(true);
    begun(target);
  };
  const over = () => {
    if (!felt || felt.untilMs !== undefined) return;
    felt.untilMs = clockMs();
    if (kind.family === "redis") stage.redisBroken(false);
  };
  try {
    await ACTS[kind.name]?.({ stage, fault, begins, over, signal });
  } catch (error) {
    if (!(error instanceof NotBack)) throw error;
    ledger.notBack(`#${number} ${kind.name}: ${error.message}`, clockMs());
  } finally {
    over();
  }
}

async function standsWhole(fault: Fault, dueMs: number, { stage, signal }: FaultOptions): Promise<boolean> {
  const services = familiesOf(fault.kind).filter((family) => NUMBERS[family] !== undefined);
  if (services.length === 0) return true;
  const leftMs = HOLD_MS - (performance.now() - dueMs);
  try {
    const all = () => services.every((service) => whole(stage, service));
    await until(`${services.join(", ")} are whole`, signal, all, leftMs);
    return true;
  } catch (error) {
    if (error instanceof NotBack) return false;
    throw error;
  }
}
