import { expect, test } from "@jest/globals";
import { type Choice, choose, type View } from "../../../services/jobmanager/daemons.js";

const STEADY_MS = 1_000;
const live = (previousHash: string, height: number, more: Partial<View> = {}): View => ({
  liveSinceMs: 0,
  tip: { previousHash, height },
  tipAtMs: 0,
  ...more,
});
const dead: View = { liveSinceMs: undefined, tip: undefined, tipAtMs: 0 };
const inUse = (index: number, previousHash: string, height: number): Choice => ({
  index,
  tip: { previousHash, height },
});
const pick = (views: View[], use?: Choice, nowMs = 10_000): string | undefined => {
  const choice = choose(views, use, nowMs, STEADY_MS);
  return choice && `${choice.index} on ${choice.tip.previousHash}`;
};

test("without a live daemon there is no choice", () => {
  expect(pick([dead, dead], inUse(0, "a", 5))).toBeUndefined();
  expect(pick([{ ...dead, liveSinceMs: 5 }])).toBeUndefined();
});

test("the first daemon to see a new tip wins, whatever its rank", () => {
  expect(pick([live("a", 5), live("b", 6)], inUse(0, "a", 5))).toBe("1 on b");
});

test("of several with the same new height, the one that came to it first wins", () => {
  expect(pick([live("x", 6, { tipAtMs: 9 }), live("y", 6, { tipAtMs: 7 })], inUse(0, "a", 5))).toBe("1 on y");
});

test("two daemons that came to a tip at one moment: the first configured leads", () => {
  expect(pick([live("x", 6, { tipAtMs: 7 }), live("y", 6, { tipAtMs: 7 })])).toBe("0 on x");
});

test("two daemons that disagree at one height do not take the tip from each other", () => {
  expect(pick([live("x", 6), live("y", 6)], inUse(1, "y", 6))).toBe("1 on y");
});

test("a tip that no live daemon holds any more gives way to what there is, even if it is lower", () => {
  expect(pick([live("a", 5)], inUse(0, "b", 6))).toBe("0 on a");
  expect(pick([dead, live("a", 5)], inUse(0, "b", 6))).toBe("1 on a");
});

test("within a tip the daemon in use stays until a preferred one has been live for a while", () => {
  const came = (liveSinceMs: number) => [live("a", 5, { liveSinceMs }), live("a", 5)];
  expect(pick(came(9_500), inUse(1, "a", 5))).toBe("1 on a");
  expect(pick(came(9_000), inUse(1, "a", 5))).toBe("0 on a");
});

test("when the daemon in use dies, the first live one with its tip goes on", () => {
  expect(pick([dead, live("a", 5), live("a", 5)], inUse(0, "a", 5))).toBe("1 on a");
});

test("a daemon that hangs behind is left alone", () => {
  expect(pick([live("a", 5), live("b", 6)], inUse(1, "b", 6))).toBe("1 on b");
});
