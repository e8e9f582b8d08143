// Which job goes out, when several jobmanagers speak.

import { expect, test } from "@jest/globals";
import { chain, type JobId } from "../../../lib/contracts/index.js";
import { JOBS_MAX, JobBook, later } from "../../../services/stratum/jobs.js";
import { craftJob, JUNIOR, SENIOR } from "./craft.js";

const at = (height: number, id: string, changes = {}) => craftJob({ height, id, tip: height, ...changes });
const refresh = (height: number, id: string) => at(height, id, { clean: false });

function setup() {
  const book = new JobBook();
  let nowMs = 0;
  return {
    book,
    senior: (job = at(1, "a")) => book.offer(job, SENIOR, true, ++nowMs),
    junior: (job = at(1, "b")) => book.offer(job, JUNIOR, false, ++nowMs),
  };
}

test("J1 the first jobmanager to see a new tip wins, and the others' copies of it are dropped", () => {
  const { book, senior, junior } = setup();
  expect(senior(at(1, "a1"))).toBe("tip");
  expect(junior(at(1, "b1"))).toBe("dropped");
  expect(junior(at(2, "b2"))).toBe("tip");
  expect(senior(at(2, "a2"))).toBe("dropped");
  expect(book.current?.job.id).toBe("b2");
});

test("J1 within one tip only the senior's refreshes go out, whoever had won the tip", () => {
  const { book, senior, junior } = setup();
  junior(at(1, "b1"));
  expect(junior(refresh(1, "b2"))).toBe("dropped");
  expect(senior(at(1, "a1"))).toBe("dropped");
  expect(senior(refresh(1, "a2"))).toBe("refresh");
  expect(senior(refresh(1, "a2"))).toBe("dropped"); // A snapshot says it again.
  expect(book.current?.job.id).toBe("a2");
});

test("when the senior is gone the next one's refreshes go out at once", () => {
  const { book, senior, junior } = setup();
  senior(at(1, "a1"));
  junior(at(1, "b1"));
  book.leave(SENIOR);
  expect(book.offer(refresh(1, "b2"), JUNIOR, true, 9)).toBe("refresh");
});

test("a fork of the same height counts only from the senior, and only once", () => {
  const { senior, junior } = setup();
  senior(at(5, "a1"));
  expect(junior(at(5, "b1", { tip: 77 }))).toBe("dropped");
  expect(senior(at(5, "a2", { tip: 78 }))).toBe("tip");
});

test("a lagging senior does not take anybody back to an old tip", () => {
  const { senior, junior } = setup();
  senior(at(1, "a1"));
  junior(at(3, "b3"));
  expect(senior(at(2, "a2"))).toBe("dropped");
  expect(senior(refresh(2, "a3"))).toBe("dropped");
  expect(senior(at(3, "a4"))).toBe("dropped");
  expect(senior(refresh(3, "a5"))).toBe("refresh");
});

test("a tip on which no live jobmanager builds any more gives way, even to a lower one", () => {
  const { book, senior, junior } = setup();
  senior(at(9, "a1"));
  junior(at(9, "b1"));
  expect(senior(at(7, "a2"))).toBe("dropped"); // The junior still stands on 9.
  book.leave(JUNIOR);
  expect(senior(at(7, "a3"))).toBe("tip");
});

test("jobs that were not sent are known all the same", () => {
  const { book, senior, junior } = setup();
  senior(at(1, "a1"));
  junior(at(1, "b1"));
  expect(book.find("b1" as JobId)?.job.id).toBe("b1");
});

test("what is known is bounded, and the current job is never forgotten", () => {
  const { book, senior, junior } = setup();
  senior(at(1, "a1"));
  for (let i = 0; i < 2 * JOBS_MAX; i++) junior(refresh(1, `b${i.toString(16)}`));
  let found = 0;
  for (let i = 0; i < 2 * JOBS_MAX; i++) if (book.find(`b${i.toString(16)}` as JobId)) found++;
  expect(found).toBe(JOBS_MAX - 1);
  expect(book.find("a1" as JobId)).toBeDefined();
});

test("a share's tip counts while it is the newest, and as long after as the operator grants", () => {
  const book = new JobBook();
  const old = at(1, "a1");
  book.offer(old, SENIOR, true, 1_000);
  expect(book.live(old, 1_500, 0)).toBe(true);
  book.offer(at(2, "a2"), SENIOR, true, 2_000);
  expect(book.live(old, 2_001, 0)).toBe(false);
  expect(book.live(old, 2_400, 500)).toBe(true);
  expect(book.live(old, 2_501, 500)).toBe(false);
});

test("telling a job again gives it a later time, never the same twice, until the miners' own room is reached", () => {
  const { book, senior } = setup();
  const job = at(1, "a1");
  senior(job);
  expect(book.renew(job.time + 40)).toEqual({ job, time: job.time + 40 });
  expect(book.renew(job.time)?.time).toBe(job.time + 41);
  expect(later({ job, time: job.time }, job.time + 3_601)?.time).toBe(job.time + 1); // Another clock than ours.
  expect(later({ job, time: job.time + 3_600 }, job.time)).toBeUndefined();
});

test("the network's difficulty is told as a whole number from 1 up, never above the exact one: no share is harder than a block", () => {
  const of = (bits: number) => new JobBook().remember({ ...at(1, "a1"), bits });
  for (const bits of [0x1c7f_ffff, 0x1b04_04cb, 0x1a05_db8b, 0x1d00_8000]) {
    const { networkDifficulty, networkTarget } = of(bits);
    expect(Number.isInteger(networkDifficulty)).toBe(true);
    expect(chain.difficultyToTarget("sha256d", networkDifficulty)).toBeGreaterThanOrEqual(networkTarget);
  }
  expect(of(0x1f0f_ffff).networkDifficulty).toBeLessThan(1);
});
