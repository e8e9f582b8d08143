// One run: stage, crowd, faults, quiet, judgement.
//
//   Stage.open -> Crowd.open -> all mine -> faults while tips come -> quiet -> pause -> every answer is in -> close -> the log
//
// Bounded: whatever hangs, the run ends within its seconds and LIMIT_MS, and everything it started ends with it.

import { setTimeout as delay } from "node:timers/promises";
import { until } from "./acts/index.js";
import { Crowd } from "./crowd.js";
import type { Chain } from "./daemon.js";
import { quiet, readLog } from "./ending.js";
import { carryOut } from "./faults.js";
import { Ledger } from "./ledger.js";
import { Machine } from "./machine.js";
import { type Result, resultOf } from "./report.js";
import { drawSchedule, TAIL_MS } from "./schedule.js";
import { Seed } from "./seed.js";
import { Stage } from "./stage.js";

export interface RunOptions {
  readonly seed: number;
  readonly seconds: number;
  readonly clients: number;
  readonly kinds?: readonly string[] | undefined;
  /** Times what a client may wait; default 1. */
  readonly patience?: number;
  /** Where run directories go; default: run/chaos. */
  readonly root?: string | undefined;
  /** Ends the run early; everything that it started ends. */
  readonly signal?: AbortSignal;
  tell(text: string): void;
}

/** Between two shares of a client. */
const EVERY_MS = 1_000;
/** Start, quiet and end of a run together. */
const LIMIT_MS = 180_000;
const CLIENTS_READY_MS = 60_000;
const TIP_MS = [2_000, 6_000] as const;
/** So that tips and faults come from numbers of their own. */
const TIPS_APART = 0x7f4a_7c15;

/** @throws when the machine itself fails, or the run exceeds its time. What the pool did wrong is in the result. */
export async function run(options: RunOptions): Promise<Result> {
  const { seed, seconds, clients, tell } = options;
  const over = new AbortController();
  const watchdog = setTimeout(() => over.abort(new Error("the run took too long")), seconds * 1_000 + LIMIT_MS);
  const ledger = new Ledger(options.patience);
  const signal = options.signal ? AbortSignal.any([over.signal, options.signal]) : over.signal;
  const shares = Math.ceil((clients * (seconds * 1_000 + LIMIT_MS)) / EVERY_MS);
  const stage = await Stage.open({ clients, shares, root: options.root, wide: true, signal, onTold: tell });
  let crowd: Crowd | undefined;
  let machine: Machine | undefined;
  try {
    crowd = Crowd.open({
      ...{ port: stage.port, clients, everyMs: EVERY_MS },
      see: (seen) => ledger.see(seen),
      late: (stretch) => ledger.late(stretch),
    });
    await mining(crowd, clients, signal);
    tell(`${clients} clients mine`);
    const schedule = drawSchedule(new Seed(seed), options);
    const tips = new AbortController();
    const advancing = advance(stage.chain, new Seed(seed ^ TIPS_APART), AbortSignal.any([signal, tips.signal]));
    const from = performance.now();
    machine = Machine.open((stretch) => ledger.busy(stretch));
    const done = await carryOut(schedule, { stage, ledger, signal, tell, lastMs: seconds * 1_000 - TAIL_MS });
    await delay(Math.max(0, seconds * 1_000 - (performance.now() - from)), undefined, { signal });
    const use = machine.close();
    await quiet(stage, crowd, ledger, signal);
    tips.abort();
    await advancing;
    const { lines, lateMs } = crowd;
    await crowd.close();
    crowd = undefined;
    ledger.settle(await readLog(stage, ledger, signal));
    return resultOf({ seed, seconds, clients, lines, lateMs, use, schedule, done, ledger, logs: stage.run.logs });
  } finally {
    clearTimeout(watchdog);
    machine?.close();
    await crowd?.close();
    await stage.close();
  }
}

async function mining(crowd: Crowd, clients: number, signal: AbortSignal): Promise<void> {
  await until(`all ${clients} clients mine`, signal, () => crowd.mining === clients, CLIENTS_READY_MS);
}

async function advance(chain: Chain, seed: Seed, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await delay(seed.int(...TIP_MS), undefined, { signal }).catch(() => {}); // The end of the run.
    if (!signal.aborted) chain.advance();
  }
}
