// C1, C2: whatever is killed behind HAProxy and the keeper, miners who mine all the while stay connected and hardly wait.

import { beforeAll, expect, test } from "@jest/globals";
import { Crowd, tooLong, type Waits } from "../kit/crowd.js";
import { easyShares, startEasyPool } from "../kit/easy-chain.js";
import { freeze, kill, killEdge, standsBy, type Victim } from "../kit/killing.js";
import type { TestPool } from "../kit/pool.js";
import { expectAllOnce } from "../kit/share-log.js";

const TEST_MS = 120_000;
const MINERS = 12;

let pool: TestPool;
beforeAll(async () => {
  pool = await startEasyPool(easyShares(), "file");
}, TEST_MS);

/** Figures for who wants them: FIGURES=1. */
const show = (what: string, waits: unknown): void => {
  if (process.env.FIGURES) process.stderr.write(`${what}: ${JSON.stringify(waits)}\n`);
};

test.each<Victim>(["stratum", "jobmanager", "reporter"])(
  "C1 a %s killed -9, or stopped, under load: nobody is disconnected, nobody waits for more than a second, no share is lost or doubled",
  async (watcher) => {
    const crowd = await Crowd.start(pool, MINERS);
    const waits: (Waits & { readonly signal: string })[] = [];
    for (const signal of ["SIGKILL", "SIGTERM"] as const)
      waits.push({ signal, ...(await crowd.during(() => kill(pool, watcher, signal))) });
    await crowd.stop();
    show(watcher, waits);
    expect(tooLong(waits, 1_000)).toEqual([]);
    expect([crowd.closed, crowd.refused]).toEqual([0, []]);
    await expectAllOnce(pool, crowd.name, crowd.accepted);
  },
  TEST_MS,
);

test.each<Victim>(["stratum", "jobmanager", "reporter"])(
  "C1 a %s stands still for three seconds and goes on: nobody waits for more than a second, no share is lost or doubled",
  async (watcher) => {
    const crowd = await Crowd.start(pool, MINERS);
    const waits = [
      await crowd.during(() => freeze(pool, watcher, 3_000)),
      await crowd.during(() => freeze(pool, watcher, 700)), // It goes on just when it was given up.
    ];
    await crowd.stop();
    show(`${watcher} stopped`, waits);
    expect(tooLong(waits, 1_000)).toEqual([]);
    expect([crowd.closed, crowd.refused]).toEqual([0, []]);
    await expectAllOnce(pool, crowd.name, crowd.accepted);
  },
  TEST_MS,
);

test(
  "C2 an edge killed -9 under load, twice, disconnects nobody, and nobody waits for more than two seconds",
  async () => {
    await standsBy(pool);
    const crowd = await Crowd.start(pool, MINERS);
    const waits = [await crowd.during(() => killEdge(pool))];
    await standsBy(pool);
    waits.push(await crowd.during(() => killEdge(pool)));
    show("edge", waits);
    expect(tooLong(waits, 2_000, "gapMs")).toEqual([]);
    const lost = crowd.unanswered; // What the edges had read and not handed on went with them.
    await crowd.stop(lost);
    expect([crowd.closed, crowd.refused]).toEqual([0, []]);
    await expectAllOnce(pool, crowd.name, crowd.accepted, lost);
  },
  TEST_MS,
);
