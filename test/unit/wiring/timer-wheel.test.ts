// The deadlines of all calls under one timer.

import { expect, test } from "@jest/globals";
import fc from "fast-check";
import type { Clock } from "../../../lib/wiring/index.js";
import { Timed, TimerWheel } from "../../../lib/wiring/rpc/timer-wheel.js";

const TICK_MS = 4;

/** A clock that stands still until it is moved. */
class TestClock implements Clock {
  #nowMs = 1_000.5;
  #timers: { atMs: number; run: () => void }[] = [];

  nowMs = () => this.#nowMs;

  after(ms: number, run: () => void): () => void {
    const timer = { atMs: this.#nowMs + ms, run };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((one) => one !== timer);
    };
  }

  get timers(): number {
    return this.#timers.length;
  }

  /** Timers that ran. */
  woken = 0;

  /** Lets time pass in small steps, as a free event loop would. */
  advance(ms: number): void {
    const endMs = this.#nowMs + ms;
    while (this.#nowMs < endMs) this.jump(Math.min(1, endMs - this.#nowMs));
  }

  /** Time passes with the event loop blocked. */
  jump(ms: number): void {
    this.#nowMs += ms;
    const due = this.#timers.filter((one) => one.atMs <= this.#nowMs);
    this.#timers = this.#timers.filter((one) => one.atMs > this.#nowMs);
    this.woken += due.length;
    for (const { run } of due) run();
  }
}

class Alarm extends Timed {
  firedMs: number | undefined;

  constructor(
    deadlineMs: number,
    readonly clock: Clock,
    readonly also: () => void = () => {},
  ) {
    super(deadlineMs);
  }

  override expire(): void {
    expect(this.firedMs).toBeUndefined();
    this.firedMs = this.clock.nowMs();
    this.also();
  }
}

function setup() {
  const clock = new TestClock();
  return { clock, wheel: new TimerWheel(clock) };
}

test("nothing fires before its deadline, and everything at most two ticks after it, also beyond the wheel's turn", () => {
  fc.assert(
    fc.property(fc.array(fc.double({ min: 0, max: 6_000, noNaN: true }), { minLength: 1, maxLength: 40 }), (delays) => {
      const { clock, wheel } = setup();
      const alarms = delays.map((ms) => new Alarm(clock.nowMs() + ms, clock));
      for (const alarm of alarms) wheel.add(alarm);
      clock.advance(6_020);
      for (const { firedMs = 0, deadlineMs } of alarms) {
        expect(firedMs).toBeGreaterThanOrEqual(deadlineMs);
        expect(firedMs).toBeLessThanOrEqual(deadlineMs + 2 * TICK_MS + 1);
      }
      expect(wheel.size).toBe(0);
    }),
    { numRuns: 20 },
  );
});

test("what was removed does not fire, and removing or adding twice is harmless", () => {
  const { clock, wheel } = setup();
  const [kept, removed] = [10, 10].map((ms) => new Alarm(clock.nowMs() + ms, clock));
  if (!kept || !removed) throw new Error("unreachable");
  wheel.add(kept);
  wheel.add(kept);
  wheel.add(removed);
  wheel.remove(removed);
  wheel.remove(removed);
  expect(wheel.size).toBe(1);
  clock.advance(50);
  expect(kept.firedMs).toBeDefined();
  expect(removed.firedMs).toBeUndefined();
});

test("one that fires may remove another of the same tick, and add itself again", () => {
  const { clock, wheel } = setup();
  const victim = new Alarm(clock.nowMs() + 8, clock);
  const later = new Alarm(clock.nowMs() + 40, clock);
  const killer = new Alarm(clock.nowMs() + 8, clock, () => {
    wheel.remove(victim);
    wheel.add(later);
  });
  wheel.add(killer);
  wheel.add(victim);
  clock.advance(30);
  expect([killer.firedMs !== undefined, victim.firedMs !== undefined, later.firedMs !== undefined]).toEqual([
    true,
    false,
    false,
  ]);
  clock.advance(30);
  expect(later.firedMs).toBeDefined();
});

test("an empty wheel holds no timer", () => {
  const { clock, wheel } = setup();
  expect(clock.timers).toBe(0);
  const alarm = new Alarm(clock.nowMs() + 1_000, clock);
  wheel.add(alarm);
  expect(clock.timers).toBe(1);
  wheel.remove(alarm);
  clock.advance(70);
  expect(clock.timers).toBe(0);
  wheel.add(new Alarm(clock.nowMs() + 10, clock));
  wheel.close();
  expect([clock.timers, wheel.size]).toEqual([0, 0]);
});

test("a call that is under way for long wakes the process sixteen times a second at most", () => {
  const { clock, wheel } = setup();
  wheel.add(new Alarm(clock.nowMs() + 60_000, clock));
  clock.advance(2_000);
  expect(clock.woken).toBeLessThanOrEqual(2 * 16 + 1);
});

test("a deadline that is nearer than all others is met, whatever the wheel was waiting for", () => {
  const { clock, wheel } = setup();
  wheel.add(new Alarm(clock.nowMs() + 1_000, clock));
  clock.advance(2);
  const near = new Alarm(clock.nowMs() + 5, clock);
  wheel.add(near);
  clock.advance(5 + 2 * TICK_MS);
  expect(near.firedMs).toBeDefined();
});

test("after the event loop was blocked, sockets are read before anything fires", () => {
  const { clock, wheel } = setup();
  const alarm = new Alarm(clock.nowMs() + 100, clock);
  wheel.add(alarm);
  clock.advance(20);
  clock.jump(5_000); // The timer runs late: it only sets another one.
  expect(alarm.firedMs).toBeUndefined();
  clock.jump(1);
  expect(alarm.firedMs).toBeDefined();
});
