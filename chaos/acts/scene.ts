// What every act works with, and what they share: whom a fault befalls, and waiting until all is well again.
//
//   fault -> precondition (another instance lives) -> act -> the instance is back

import { setTimeout as delay } from "node:timers/promises";
import type { Fault } from "../schedule.js";
import type { Stage } from "../stage.js";

/** What an act works with. */
export interface Scene {
  readonly stage: Stage;
  readonly fault: Fault;
  /** The fault is done as far as clients may feel it; what follows is waiting for the instance to be back. */
  over(): void;
  /** Says what it befell, for people. Before it happens. */
  begins(target: string): void;
  readonly signal: AbortSignal;
}

export type Act = (scene: Scene) => Promise<void>;

/** How many processes of each service there are. */
export const NUMBERS: Readonly<Record<string, number>> = { stratum: 2, jobmanager: 2, reporter: 2 };
/** A Node process starts in half a second; two shared cores make it many times that. */
const BACK_MS = 30_000;
const LOOK_EVERY_MS = 20;

/** Something did not come back in time, or did not do what it was asked: a broken promise. */
export class NotBack extends Error {
  override readonly name = "NotBack";
}

/** The fault cannot befall the pool as it stands just now: nothing was done, and it is left out. */
export class Unfit extends Error {
  override readonly name = "Unfit";
}

export async function until(
  what: string,
  signal: AbortSignal,
  condition: () => boolean | Promise<boolean>,
  withinMs = BACK_MS,
): Promise<void> {
  const end = performance.now() + withinMs;
  while (!(await condition())) {
    if (performance.now() > end) throw new NotBack(`waited ${withinMs} ms in vain until ${what}`);
    await delay(LOOK_EVERY_MS, undefined, { signal });
  }
}

/**
 * What was broken is back. A process that starts needs Redis, so its time begins when that answers.
 */
export async function back(
  what: string,
  { stage, signal }: Pick<Scene, "stage" | "signal">,
  condition: () => boolean | Promise<boolean>,
): Promise<void> {
  for (;;) {
    try {
      return await until(what, signal, condition);
    } catch (error) {
      if (!(error instanceof NotBack) || !(await wasAway(stage, signal))) throw error;
    }
  }
}

/** True: something befell Redis meanwhile, and it answers again. */
async function wasAway(stage: Stage, signal: AbortSignal): Promise<boolean> {
  if (stage.redisWellFor(BACK_MS)) return false;
  await redisAnswers({ stage, signal });
  return true;
}

/** All instances of a service serve. */
export const whole = (stage: Stage, service: string): boolean => stage.ready(service).length >= (NUMBERS[service] ?? 1);

/** The instance that the fault's number points to. */
export function victim({ stage, fault }: Scene, service: string): number {
  const pids = stage.ready(service);
  const pid = pids[fault.target % pids.length];
  if (pid === undefined) throw new NotBack(`no ${service} serves`);
  return pid;
}

/** Longer than any outage of the schedule. */
const REDIS_BACK_MS = 60_000;

/** A command fails without Redis, and its operator waits for it. */
export const redisAnswers = ({ stage, signal }: Pick<Scene, "stage" | "signal">): Promise<void> =>
  until("redis answers", signal, () => stage.redisAnswers(), REDIS_BACK_MS);

/** For as long as the fault was drawn for. */
export const lasting = ({ fault, signal }: Scene): Promise<void> => delay(fault.forMs, undefined, { signal });

/** The process stands still for that long, and goes on where it was, unless somebody has ended it meanwhile. */
export async function frozen(pid: number, scene: Scene): Promise<void> {
  process.kill(pid, "SIGSTOP");
  try {
    await lasting(scene);
  } finally {
    scene.over();
    goOn(pid);
  }
}

function goOn(pid: number): void {
  try {
    process.kill(pid, "SIGCONT");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}
