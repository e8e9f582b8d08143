// share-log: what stands in Redis of a pool's shares; and what a test may conclude from it.

import { expect } from "@jest/globals";
import { shareKeys } from "../../services/reporter/keys.js";
import type { TestPool } from "./pool.js";
import { until } from "./until.js";

const FLUSHED_MS = 10_000;

/** Field -> value, one an entry. */
export async function shareLog({ house }: Pick<TestPool, "house">): Promise<Record<string, string>[]> {
  const entries = await house.redis.shares.xrange(shareKeys(house.cluster).log, "-", "+");
  return entries.map(([, fields]) => {
    const pairs = fields.flatMap((name, i) => (i % 2 === 0 ? [[name, fields[i + 1] ?? ""]] : []));
    return Object.fromEntries(pairs) as Record<string, string>;
  });
}

/**
 * S1. Of workers whose names begin so, `atLeast` shares were answered `true`; at most `unanswered` more may stand in the log.
 */
export async function expectAllOnce(
  pool: Pick<TestPool, "house">,
  worker: string,
  atLeast: number,
  unanswered = 0,
): Promise<void> {
  const read = async () => (await shareLog(pool)).filter((share) => share.worker?.startsWith(worker));
  // What was spooled while a reporter or Redis stood still follows.
  await until("the log has them all", FLUSHED_MS, async () => (await read()).length >= atLeast).catch(() => {});
  const log = await read();
  expect(log.length).toBeGreaterThanOrEqual(atLeast);
  expect(log.length).toBeLessThanOrEqual(atLeast + unanswered);
  expect(new Set(log.map(({ id }) => id)).size).toBe(log.length);
}
