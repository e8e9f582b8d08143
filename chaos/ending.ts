// The end of a run: quiet first, then the share log as it stands.

import { setTimeout as delay } from "node:timers/promises";
import { Redis } from "ioredis";
import { messageOf } from "../lib/thrown.js";
import { NUMBERS, until, whole } from "./acts/index.js";
import type { Crowd } from "./crowd.js";
import type { Ledger } from "./ledger.js";
import { clockMs } from "./seen.js";
import type { Stage } from "./stage.js";

const QUIET_MS = 60_000;
/** Without a question that waits, for this long. */
const CALM_MS = 1_000;
const LOG_MS = 60_000;
const LOG_LOOK_MS = 500;
/** Reads in a row that found nothing new. */
const LOG_CALM_READS = 3;
const PAGE = 5_000;

/** All instances are back, then nobody asks, then nobody waits for an answer. What does not become quiet shows in the judgement. */
export async function quiet(stage: Stage, crowd: Crowd, ledger: Ledger, signal: AbortSignal): Promise<void> {
  const all = () => Object.keys(NUMBERS).every((service) => whole(stage, service));
  try {
    await until("every instance is back", signal, all, QUIET_MS);
    crowd.pause();
    let calmFrom = performance.now();
    const calm = () => {
      if (crowd.waiting > 0) calmFrom = performance.now();
      return performance.now() - calmFrom > CALM_MS;
    };
    await until("every question has its answer", signal, calm, QUIET_MS);
  } catch (error) {
    signal.throwIfAborted();
    ledger.notBack(messageOf(error), clockMs());
  }
}

/** Every identity in the share log. What was answered true may be in a spool: it has LOG_MS to be written. */
export async function readLog(stage: Stage, ledger: Ledger, signal: AbortSignal): Promise<string[]> {
  const redis = new Redis(stage.redis.url);
  const log: string[] = [];
  const found = new Set<string>();
  const end = performance.now() + LOG_MS;
  let from = "-";
  try {
    for (let calm = 0; calm < LOG_CALM_READS; ) {
      const page = await redis.xrange("hf:{chaos}:shares", from, "+", "COUNT", PAGE);
      for (const [, fields] of page) log.push(fields[fields.indexOf("id") + 1] ?? "");
      for (const identity of log.slice(log.length - page.length)) found.add(identity);
      const last = page.at(-1)?.[0];
      if (last !== undefined) from = `(${last}`;
      const complete = page.length === 0 && (ledger.missing(found) === 0 || performance.now() > end);
      calm = complete ? calm + 1 : 0;
      if (page.length < PAGE) await delay(LOG_LOOK_MS, undefined, { signal });
    }
    return log;
  } finally {
    redis.disconnect();
  }
}
