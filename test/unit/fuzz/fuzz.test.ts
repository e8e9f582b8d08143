// The fuzzer's own parts: what it sends is what it says, and its judgement can fail.

import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { Seed } from "../../../chaos/seed.js";
import { cutAnywhere, makeLine } from "../../../fuzz/lines.js";
import { growthOf } from "../../../fuzz/memory.js";
import { isGood, render } from "../../../fuzz/report.js";
import type { Fuzzed } from "../../../fuzz/run.js";

const seeds = fc.integer({ min: 0, max: 2 ** 31 });

test("every line has exactly one newline, at its end", () => {
  fc.assert(
    fc.property(seeds, (seed) => {
      const line = makeLine(new Seed(seed));
      expect(line.indexOf(0x0a)).toBe(line.length - 1);
    }),
    { numRuns: 2_000 },
  );
});

test("a seed makes the same lines again, and they are of many kinds", () => {
  const lines = (seed: number) => {
    const source = new Seed(seed);
    return Array.from({ length: 500 }, () => makeLine(source).toString("latin1"));
  };
  expect(lines(4)).toEqual(lines(4));
  expect(new Set(lines(4)).size).toBeGreaterThan(200);
});

test("pieces put together are the whole, wherever they were cut", () => {
  fc.assert(
    fc.property(
      seeds,
      fc.uint8Array({ minLength: 1, maxLength: 200 }),
      fc.integer({ min: 1, max: 8 }),
      (seed, bytes, n) => {
        const whole = Buffer.from(bytes);
        expect(Buffer.concat(cutAnywhere(new Seed(seed), whole, n))).toEqual(whole);
      },
    ),
  );
});

const MB = 1 << 20;
const samples = (bytesAt: (i: number) => number) =>
  Array.from({ length: 40 }, (_, i) => ({ atMs: i * 1_000, bytes: bytesAt(i) }));

test("memory that warms up and then breathes is flat; memory that grows is not; a few samples show nothing", () => {
  expect(growthOf(samples((i) => (i < 10 ? 60 + 9 * i : 150 + 10 * (i % 3)) * MB))?.flat).toBe(true);
  expect(growthOf(samples((i) => (100 + 4 * i) * MB))?.flat).toBe(false);
  expect(growthOf(samples(() => MB).slice(0, 5))).toBeUndefined();
});

const good: Fuzzed = {
  ...{
    seed: 1,
    seconds: 10,
    lines: 1,
    linesRead: 1,
    linesPerSecond: 1,
    cpuUs: { edge: 9 },
    connected: 1,
    closed: 0,
    heardBytes: 1,
    crashes: [],
  },
  ...{ honest: 5, disturbed: 0, broken: [], stallMaxMs: 3, memory: [], logs: "logs" },
};

test.each<[string, Partial<Fuzzed>]>([
  ["a crash", { crashes: ["stratum (pid 7) ended by SIGSEGV"] }],
  ["a disturbed miner", { disturbed: 1, broken: [{ promise: "C1", what: "was disconnected", client: 2, faults: [] }] }],
  ["growing memory", { memory: [{ process: "edge 7", early: MB, late: 900 * MB, flat: false }] }],
])("%s makes a run bad, and is told", (_, bad) => {
  expect(isGood(good)).toBe(true);
  expect(isGood({ ...good, ...bad })).toBe(false);
  expect(render({ ...good, ...bad })).toMatch(/BAD/);
});
