import { expect, test } from "@jest/globals";
import { ADDRESSES_MAX, Conduct, stands } from "../../../services/stratum/conduct.js";
import { settings } from "../../../services/stratum/settings.js";

function watch(conduct: Record<string, number> = {}) {
  const { conduct: rules } = settings.parse({ conduct });
  const world = { nowMs: 0, offences: [] as [string, string][] };
  const watched = new Conduct({
    rules,
    nowMs: () => world.nowMs,
    onGoodShare: () => {},
    onOffence: (address, { reason }) => void world.offences.push([address, reason]),
  });
  return { watched, world, rules };
}

const times = (count: number, act: () => void) => Array.from({ length: count }).forEach(act);
const A = "192.0.2.1";
const B = "192.0.2.2";

test("garbage from an address without one good share is an offence, counted over all its connections", () => {
  const { watched, world, rules } = watch();
  times(rules.garbledLinesMax - 1, () => watched.garbledLine(A));
  watched.garbledLine(B);
  expect(world.offences).toEqual([]);
  watched.garbledLine(A);
  expect(world.offences).toEqual([[A, "garbage"]]);
});

test("while good shares come from an address, garbage of one of its devices shuts nobody out", () => {
  const { watched, world } = watch();
  watched.goodShare(A);
  times(10_000, () => watched.garbledLine(A));
  expect(world.offences).toEqual([]);
});

test("nearly all shares invalid is an offence; a mix of good and bad is not, however many", () => {
  const { watched, world } = watch({ invalidSharesMin: 100, invalidSharesPart: 0.9 });
  times(1_000, () => {
    watched.refusedShare(A, "low-difficulty");
    watched.goodShare(A);
  });
  expect(world.offences).toEqual([]);
  times(99, () => watched.refusedShare(B, "duplicate"));
  expect(world.offences).toEqual([]);
  watched.refusedShare(B, "unauthorized");
  expect(world.offences).toEqual([[B, "invalid-shares"]]);
});

test("shares that are refused for what the pool or the chain did are no offence", () => {
  const { watched, world } = watch();
  for (const reason of ["stale", "not-subscribed", "other"] as const)
    times(1_000, () => watched.refusedShare(A, reason));
  expect(world.offences).toEqual([]);
});

test("each window counts anew, and so does an address after its offence", () => {
  const { watched, world, rules } = watch();
  times(rules.garbledLinesMax - 1, () => watched.garbledLine(A));
  world.nowMs += rules.windowMs + 1;
  watched.garbledLine(A);
  expect(world.offences).toEqual([]);
  times(2 * rules.garbledLinesMax - 1, () => watched.garbledLine(A));
  expect(world.offences).toHaveLength(2);
});

test("what one instance takes for an offence is none when the others saw good shares enough of that address", () => {
  const { rules } = watch({ invalidSharesPart: 0.9 });
  expect(stands({ reason: "garbage", bad: 0 }, 0, rules)).toBe(true);
  expect(stands({ reason: "garbage", bad: 0 }, 1, rules)).toBe(false);
  expect(stands({ reason: "invalid-shares", bad: 100 }, 11, rules)).toBe(true);
  expect(stands({ reason: "invalid-shares", bad: 100 }, 12, rules)).toBe(false);
});

test("the addresses remembered are bounded: who was not heard of for longest is forgotten", () => {
  const { watched, world, rules } = watch();
  times(rules.garbledLinesMax - 1, () => watched.garbledLine(A));
  for (let n = 0; n < ADDRESSES_MAX; n++) watched.goodShare(`10.${n >> 16}.${(n >> 8) & 255}.${n & 255}`);
  watched.garbledLine(A);
  expect(world.offences).toEqual([]);
});
