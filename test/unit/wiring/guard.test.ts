// The policies that wrap a call.

import { expect, test } from "@jest/globals";
import { leastOutstanding } from "../../../lib/wiring/guard/balance.js";
import { Breaker } from "../../../lib/wiring/guard/breaker.js";
import { hedge } from "../../../lib/wiring/guard/hedge.js";
import { Limit } from "../../../lib/wiring/guard/limit.js";
import { retryPlan } from "../../../lib/wiring/guard/retry.js";
import { WIRING_ERROR_CODES, WiringError } from "../../../lib/wiring/index.js";
import { CallFailure, failureFromWire, failureToWire, handlerFailure } from "../../../lib/wiring/nexus/failure.js";
import { Lateness } from "../../../lib/wiring/rpc/lateness.js";

const attempt = { idempotent: false, pinned: false, tries: 1, callable: 2 };

test("what may have run is repeated only if its method is idempotent, and what cannot succeed never", () => {
  for (const code of WIRING_ERROR_CODES) {
    const failure = new WiringError(code, "x");
    const plain = retryPlan({ ...attempt, failure }).kind;
    const idempotent = retryPlan({ ...attempt, failure, idempotent: true }).kind;
    expect(plain !== "never").toBe(failure.retryable && !failure.sent);
    expect(idempotent !== "never").toBe(failure.retryable);
    expect(retryPlan({ ...attempt, failure, idempotent: true, pinned: true }).kind).toBe("never");
  }
});

test("another instance is asked at once, the same ones after a pause that grows and is bounded", () => {
  const failure = new WiringError("OVERLOADED", "x");
  expect(retryPlan({ ...attempt, failure }).kind).toBe("elsewhere");
  expect(retryPlan({ ...attempt, failure, callable: 0 }).kind).toBe("on-change");
  const pauses = Array.from({ length: 40 }, (_, i) => retryPlan({ ...attempt, failure, tries: 2 + i }));
  for (const plan of pauses) {
    expect(plan.kind).toBe("after");
    if (plan.kind === "after") expect(plan.delayMs).toBeLessThanOrEqual(500);
  }
  const distinct = new Set(pauses.map((plan) => (plan.kind === "after" ? plan.delayMs : 0)));
  expect(distinct.size).toBeGreaterThan(3);
});

test("a breaker opens after five timeouts in a row, lets one probe through after its pause, and closes when that is answered", () => {
  const breaker = new Breaker();
  for (let i = 0; i < 4; i += 1) breaker.timedOut(1_000);
  breaker.answered();
  for (let i = 0; i < 4; i += 1) breaker.timedOut(1_000);
  expect(breaker.allows(1_000)).toBe(true);
  breaker.timedOut(1_000);
  expect(breaker.open).toBe(true);
  expect(breaker.allows(1_000)).toBe(false);
  const probeMs = breaker.openUntilMs;
  expect(probeMs).toBeGreaterThan(1_000);
  expect(breaker.allows(probeMs)).toBe(true);
  breaker.begun();
  expect(breaker.allows(probeMs)).toBe(false); // One probe at a time.
  breaker.timedOut(probeMs);
  expect(breaker.allows(probeMs)).toBe(false);
  expect(breaker.allows(probeMs + 60_000)).toBe(true);
  breaker.begun();
  breaker.answered();
  expect(breaker.open).toBe(false);
});

test("C1 an instance that another one outran, though asked later, is left alone at once; it gets a call again after a pause", async () => {
  const [slow, quick] = [{ breaker: new Breaker() }, { breaker: new Breaker() }];
  const asked: unknown[] = [];
  let nowMs = 1_000;
  let due = (): void => {};
  const after = (_: number, what: () => void) => {
    due = what;
    return () => {};
  };
  const begin = (avoid: typeof slow | undefined) => {
    const target = avoid === slow ? quick : slow;
    asked.push(target);
    const promise = target === quick ? Promise.resolve("quick") : new Promise(() => {});
    return { promise, target, cancel: () => {} };
  };
  const clock = { nowMs: () => nowMs, after } as unknown as Parameters<typeof hedge>[0]["clock"];
  const answer = hedge({ clock, afterMs: 300, begin, hasOther: () => true });
  due();
  expect(await answer).toBe("quick");
  expect(asked).toEqual([slow, quick]);
  expect([slow, quick].map(({ breaker }) => breaker.allows(nowMs))).toEqual([false, true]);
  nowMs = slow.breaker.openUntilMs;
  expect(slow.breaker.allows(nowMs)).toBe(true);
  slow.breaker.begun();
  slow.breaker.answered();
  expect(slow.breaker.open).toBe(false);
});

test("the least busy instance is chosen, equal ones in turn, the one that just failed last, a broken one never", () => {
  const broken = new Breaker();
  for (let i = 0; i < 5; i += 1) broken.timedOut(0);
  const [a, b, c] = [2, 1, 1].map((outstanding) => ({ outstanding, breaker: new Breaker() }));
  const dead = { outstanding: 0, breaker: broken };
  if (!a || !b || !c) throw new Error("unreachable");
  const now = () => 1;
  expect(leastOutstanding([a, b, c, dead], 0, now)).toBe(b);
  expect(leastOutstanding([a, b, c, dead], 2, now)).toBe(c);
  expect(leastOutstanding([a, b, dead], 0, now, b)).toBe(a);
  expect(leastOutstanding([b], 0, now, b)).toBe(b);
  expect(leastOutstanding([dead], 0, now)).toBeUndefined();
  expect(leastOutstanding([], 0, now)).toBeUndefined();
});

test("a limit takes what fits", () => {
  const limit = new Limit(2);
  expect([limit.take(), limit.take(), limit.take()]).toEqual([true, true, false]);
  limit.give();
  expect(limit.take()).toBe(true);
});

test("a failure crosses the wire with its code, and an unknown code is taken for one that may have run", () => {
  for (const code of WIRING_ERROR_CODES) {
    const crossed = failureFromWire(failureToWire(new WiringError(code, "why\nso")));
    expect([crossed.code, crossed.message]).toEqual([code, `[${code}] why\nso`]);
  }
  expect(failureFromWire("NEW_CODE\nwhy")).toMatchObject({ code: "REMOTE", sent: true });
  expect(failureFromWire("")).toMatchObject({ code: "REMOTE" });
});

test("a handler's own refusal keeps its code; what it lets through from its own calls, or may have run, is REMOTE", () => {
  expect(handlerFailure(new WiringError("OVERLOADED", "full")).code).toBe("OVERLOADED");
  expect(handlerFailure(new CallFailure("OVERLOADED", "full")).code).toBe("REMOTE");
  expect(handlerFailure(new WiringError("TIMEOUT", "slow")).code).toBe("REMOTE");
  expect(handlerFailure("a string").code).toBe("REMOTE");
});

test("the time that a frame lay unread is known without a common clock", () => {
  const lateness = new Lateness();
  const skewMs = -5_000_000; // The sender's clock began long before ours.
  const frame = (sentMs: number, unreadMs: number) => lateness.of(sentMs - skewMs, sentMs + 1 + unreadMs);
  expect(frame(100, 0)).toBe(0);
  expect(frame(200, 300)).toBeCloseTo(300);
  expect(frame(600, 2)).toBeCloseTo(2);
  for (let i = 0; i < 5; i += 1) expect(frame(10_000 + i * 31_000, i % 2)).toBeCloseTo(i % 2); // Windows pass.
});
