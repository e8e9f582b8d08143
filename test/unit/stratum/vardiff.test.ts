// Difficulties against simulated miners: seeded, so that each run is the same.

import { describe, expect, test } from "@jest/globals";
import type { Difficulty } from "../../../lib/contracts/index.js";
import { difficultyInPassword, limitsOf, within } from "../../../services/stratum/limits.js";
import { settings as schema } from "../../../services/stratum/settings.js";
import { credit, due, nextWindow, openWindow, retarget, type VardiffRules } from "../../../services/stratum/vardiff.js";

const RULES: VardiffRules = { enabled: true, shareEveryMs: 10_000, retargetMs: 90_000, variance: 0.5 };
const LIMITS = { start: 1 as Difficulty, floor: 0.001 as Difficulty, ceiling: 1e9 as Difficulty };

/** Mulberry32. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A miner whose perfect difficulty is `perfect`: shares come by chance at the rate of its difficulty. */
function simulate(perfect: number, start: number, minutes: number, seed: number, limits = LIMITS) {
  const chance = random(seed);
  let difficulty = start as Difficulty;
  let window = openWindow(0);
  const changes: { atMs: number; difficulty: number }[] = [];
  let nowMs = 0;
  let idleAtMs = 30_000;
  const consider = () => {
    if (!due(RULES, window, nowMs)) return;
    const wanted = retarget(RULES, limits, difficulty, window, nowMs);
    if (wanted !== difficulty) changes.push({ atMs: nowMs, difficulty: wanted });
    difficulty = wanted;
    window = nextWindow(window, nowMs);
  };
  while (nowMs < minutes * 60_000) {
    const gapMs = -Math.log(1 - chance()) * RULES.shareEveryMs * (difficulty / perfect);
    if (nowMs + gapMs > idleAtMs) {
      // A notice comes every 30 s, shares or not; chance has no memory.
      nowMs = idleAtMs;
      idleAtMs += 30_000;
    } else {
      nowMs += gapMs;
      window = credit(window, difficulty);
    }
    consider();
  }
  return { difficulty, changes };
}

describe("a difficulty finds its miner", () => {
  test.each([
    ["a thousand times too low", 1_000, 1],
    ["a million times too low", 1e6, 1],
    ["ten times too low", 10, 1],
    ["right", 1, 1],
    ["ten times too high", 1, 10],
    ["a thousand times too high, within the hour", 1, 1_000, 60],
  ])("%s", (_, perfect, start, minutes = 30) => {
    for (let seed = 1; seed <= 20; seed++) {
      const { difficulty } = simulate(perfect, start, minutes, seed);
      expect(difficulty / perfect).toBeGreaterThan(0.25);
      expect(difficulty / perfect).toBeLessThan(4);
    }
  });
});

test("a miner a thousand times too fast is near its difficulty within a minute", () => {
  for (let seed = 1; seed <= 20; seed++) {
    const { difficulty } = simulate(1_000, 1, 1, seed);
    expect(difficulty).toBeGreaterThan(300);
  }
});

test("a steady miner is mostly left alone", () => {
  let changes = 0;
  for (let seed = 1; seed <= 20; seed++) changes += simulate(64, 64, 60, seed).changes.length;
  expect(changes / 20).toBeLessThan(6); // Of 40 windows in an hour.
});

test("limits hold whatever the speed", () => {
  const limits = { ...LIMITS, floor: 8 as Difficulty, ceiling: 4_096 as Difficulty };
  expect(simulate(1e6, 16, 20, 1, limits).difficulty).toBe(4_096);
  expect(simulate(0.01, 16, 20, 1, limits).difficulty).toBe(8);
});

/** The difficulties of a connection that says nothing, in multiples of where it began. */
function silence(hours: number, rules = RULES) {
  const start = 2 ** 26;
  const steps: { atMs: number; part: number }[] = [];
  let difficulty = start as Difficulty;
  let window = openWindow(0);
  for (let nowMs = 0; nowMs < hours * 3_600_000; nowMs += 1_000) {
    if (!due(rules, window, nowMs)) continue;
    const wanted = retarget(rules, { ...LIMITS, start: difficulty }, difficulty, window, nowMs);
    if (wanted !== difficulty) steps.push({ atMs: nowMs, part: wanted / start });
    difficulty = wanted;
    window = nextWindow(window, nowMs);
  }
  return steps;
}

test("V3 a silent connection falls to a sixteenth within minutes, stays there for as long as a device tunes itself, and is where a slow one can work within hours", () => {
  const steps = silence(6);
  expect(steps.slice(0, 2)).toEqual([
    { atMs: 90_000, part: 1 / 4 },
    { atMs: 180_000, part: 1 / 16 },
  ]);
  expect(steps[2]).toEqual({ atMs: 16 * 90_000, part: 1 / 64 });
  expect(steps.at(-1)?.part).toBeLessThan(1e-8);
});

test("V3 a share ends the silence: the next one is another", () => {
  const start = 1_024 as Difficulty;
  let window = openWindow(0);
  for (let n = 1; n <= 5; n++) window = nextWindow(window, n * RULES.retargetMs);
  window = nextWindow(credit(window, start), 6 * RULES.retargetMs);
  expect(retarget(RULES, LIMITS, start, window, 7 * RULES.retargetMs)).toBe(start / 4);
});

test("V4 a window in which too few shares were wanted says nothing by its silence", () => {
  expect(silence(1, { ...RULES, shareEveryMs: 60_000 })[0]?.atMs).toBe(240_000);
});

test("difficulties from 1 up are whole numbers, whatever the speed, the wish or the limits", () => {
  for (const perfect of [1.3, 2.7, 62.5, 1_234.5])
    for (let seed = 1; seed <= 5; seed++)
      for (const { difficulty } of simulate(perfect, 1, 30, seed).changes)
        expect(difficulty < 1 || Number.isInteger(difficulty)).toBe(true);
  expect(within(LIMITS, 1.5)).toBe(2);
  expect(within(LIMITS, 0.5)).toBe(0.5);
  expect(schema.safeParse({ listeners: { default: { difficulty: { start: 1.5 } } } }).error?.issues[0]).toMatchObject({
    path: ["listeners", "default", "difficulty", "start"],
    message: expect.stringMatching(/whole number/),
  });
});

test("switched off, it never changes anything", () => {
  const window = { ...openWindow(0), shares: 10_000, work: 10_000 };
  expect(due({ ...RULES, enabled: false }, window, 1e6)).toBe(false);
});

test("a device's rule lowers its ceiling and moves its start", () => {
  const { listeners } = schema.parse({
    listeners: {
      default: { difficulty: { start: 16_384 }, agents: [{ contains: "avalon", start: 512, ceiling: 4_096 }] },
    },
  });
  const rules = listeners.default;
  expect(rules && limitsOf(rules, "cgminer/4.11 Avalon1066")).toMatchObject({ start: 512, ceiling: 4_096 });
  expect(rules && limitsOf(rules, "cgminer/4.12")).toMatchObject({ start: 16_384 });
});

test("a rule that gives only a ceiling below the start moves the start under it", () => {
  const { listeners } = schema.parse({
    listeners: { default: { difficulty: { start: 100 }, agents: [{ contains: "x", ceiling: 10 }] } },
  });
  expect(listeners.default && limitsOf(listeners.default, "X")).toMatchObject({ start: 10, ceiling: 10 });
});

test("limits that contradict each other are refused with their key", () => {
  const parsed = schema.safeParse({ listeners: { slow: { difficulty: { start: 1, floor: 8 } } } });
  expect(parsed.error?.issues[0]).toMatchObject({
    path: ["listeners", "slow", "difficulty"],
    message: /floor <= start/,
  });
});

test.each([
  ["d=1024", 1_024],
  ["x,d=0.5", 0.5],
  ["x;d=8;y", 8],
  ["pw d=16", 16],
  ["D=32", 32],
  ["x,diff=64", 64],
  ["d=.5", 0.5],
  ["d=5e-6", 5e-6],
  ["d=+2", 2],
  ["c=LTC&d=7", 7],
  ["d=1.95", 1.95],
  ["", undefined],
  ["x", undefined],
  ["md=5", undefined],
  ["d=", undefined],
  ["d=0", undefined],
  ["d=-4", undefined],
  ["d=1e9999", undefined],
  ["d=abc", undefined],
  ["d=5x", undefined],
  ["d=.", undefined],
])("the password %j wishes for %s", (password, wish) => expect(difficultyInPassword(password)).toBe(wish));
