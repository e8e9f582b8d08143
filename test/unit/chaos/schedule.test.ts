// The schedule: a seed replays, a full run has many faults of every kind, nothing lasts longer than the run can bear.

import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { ACTS } from "../../../chaos/acts/index.js";
import { KINDS } from "../../../chaos/kinds.js";
import { drawSchedule } from "../../../chaos/schedule.js";
import { Seed } from "../../../chaos/seed.js";

const draw = (seed: number, seconds = 300, kinds?: string[]) => drawSchedule(new Seed(seed), { seconds, kinds });
const seeds = fc.integer({ min: 0, max: 2 ** 31 });

test("a seed replays the same schedule, and another seed draws another", () => {
  fc.assert(fc.property(seeds, (seed) => expect(draw(seed)).toEqual(draw(seed))));
  expect(draw(1)).not.toEqual(draw(2));
});

test("300 seconds have at least 60 faults, of every kind, in the order of time", () => {
  fc.assert(
    fc.property(seeds, (seed) => {
      const faults = draw(seed);
      expect(faults.length).toBeGreaterThanOrEqual(60);
      expect(new Set(faults.map(({ kind }) => kind.name)).size).toBe(KINDS.length);
      const times = faults.map(({ atMs }) => atMs);
      expect(times).toEqual(times.toSorted((a, b) => a - b));
      expect(times.at(-1)).toBeLessThan(300_000);
    }),
  );
});

test("some faults come together", () => {
  const faults = draw(1);
  const gaps = faults.map(({ atMs }, i) => atMs - (faults[i - 1]?.atMs ?? Number.NEGATIVE_INFINITY));
  expect(gaps.filter((gap) => gap <= 200).length).toBeGreaterThan(3);
});

test("a short run has short faults", () => {
  fc.assert(
    fc.property(seeds, (seed) => {
      for (const { kind, forMs } of draw(seed, 20)) expect(forMs).toBeLessThanOrEqual(Math.max(2_000, kind.forMs[0]));
    }),
  );
});

test("only the kinds that were asked for are drawn", () => {
  const names = draw(5, 60, ["kill-edge", "cut-redis"]).map(({ kind }) => kind.name);
  expect(new Set(names)).toEqual(new Set(["kill-edge", "cut-redis"]));
});

test("every kind has an act, and every act a kind", () => {
  expect(Object.keys(ACTS).sort()).toEqual(KINDS.map(({ name }) => name).sort());
});
