import { expect, test } from "@jest/globals";
import { Conduct, type Device, newBehaviour, SOURCES_MAX, stands } from "../../../services/stratum/conduct.js";
import { settings } from "../../../services/stratum/settings.js";

function watch(conduct: Record<string, number> = {}) {
  const { conduct: rules } = settings.parse({ conduct });
  const world = { nowMs: 0, offences: [] as [string, string][], withdrawn: [] as [string, number][] };
  const watched = new Conduct({
    rules,
    nowMs: () => world.nowMs,
    onGoodShare: () => {},
    onWithdrawn: (source, shares) => void world.withdrawn.push([source, shares]),
    onOffence: (address, { reason }) => void world.offences.push([address, reason]),
  });
  return { watched, world, rules };
}

const times = (count: number, act: () => void) => Array.from({ length: count }).forEach(act);
const A = "192.0.2.1";
const B = "192.0.2.2";
const device = (source: string): Device => ({ source, behaviour: newBehaviour() });

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
  watched.goodShare(device(A));
  times(10_000, () => watched.garbledLine(A));
  expect(world.offences).toEqual([]);
});

test("a connection nearly all of whose shares are invalid is closed, and its address banned when nobody honest is there; a mix of good and bad is let be, however many", () => {
  const { watched, world } = watch({ invalidSharesMin: 100, invalidSharesPart: 0.9 });
  const [mixed, bad] = [device(A), device(B)];
  times(1_000, () => {
    expect(watched.refusedShare(mixed, "low-difficulty")).toBe(false);
    watched.goodShare(mixed);
  });
  expect(world.offences).toEqual([]);
  times(99, () => expect(watched.refusedShare(bad, "duplicate")).toBe(false));
  expect(world.offences).toEqual([]);
  expect(watched.refusedShare(bad, "unauthorized")).toBe(true);
  expect(world.offences).toEqual([[B, "invalid-shares"]]);
});

test("M1 one hostile device of a farm is closed as often as it comes, and its neighbours' address is never banned", () => {
  const { watched, world } = watch();
  const farm = Array.from({ length: 20 }, () => device(A));
  for (const honest of farm) times(30, () => watched.goodShare(honest));
  let closed = 0;
  times(100, () => {
    const hostile = device(A);
    times(5, () => watched.goodShare(hostile)); // Nor do a few good ones of its own help it...
    times(1_000, () => {
      if (watched.refusedShare(hostile, "low-difficulty")) closed++;
    });
  });
  expect(closed).toBeGreaterThanOrEqual(100);
  expect(world.offences).toEqual([]);
  expect(world.withdrawn).toEqual(Array.from({ length: 100 }, () => [A, 5]));
});

test("M1 good shares of a connection that proves hostile vouch for nobody: alone, its address is banned", () => {
  const { watched, world, rules } = watch();
  const hostile = device(A);
  times(5, () => watched.goodShare(hostile));
  times(rules.invalidSharesMin, () => watched.refusedShare(hostile, "low-difficulty"));
  expect([world.withdrawn, world.offences]).toEqual([[[A, 5]], [[A, "invalid-shares"]]]);
});

test("invalid shares spread over many connections of one address are an offence of the address", () => {
  const { watched, world, rules } = watch();
  times(rules.invalidSharesMin, () => expect(watched.refusedShare(device(A), "duplicate")).toBe(false));
  expect(world.offences).toEqual([[A, "invalid-shares"]]);
});

test("shares that are refused for what the pool or the chain did are no offence", () => {
  const { watched, world } = watch();
  for (const reason of ["stale", "not-subscribed", "other"] as const)
    times(1_000, () => watched.refusedShare(device(A), reason));
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

test("what one instance takes for an offence is none when another saw a good share of that address", () => {
  expect([-1, 0, 1, 12].map(stands)).toEqual([true, true, false, false]);
});

test("the addresses remembered are bounded: who was not heard of for longest is forgotten", () => {
  const { watched, world, rules } = watch();
  times(rules.garbledLinesMax - 1, () => watched.garbledLine(A));
  for (let n = 0; n < SOURCES_MAX; n++) watched.goodShare(device(`10.${n >> 16}.${(n >> 8) & 255}.${n & 255}`));
  watched.garbledLine(A);
  expect(world.offences).toEqual([]);
});
