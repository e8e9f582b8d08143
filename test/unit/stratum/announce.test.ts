// When an instance may be given clients.

import { expect, test } from "@jest/globals";
import type { Instance } from "../../../lib/wiring/index.js";
import { quiet } from "../../../lib/wiring/quiet.js";
import { announceWithWork } from "../../../services/stratum/announce.js";
import { until } from "../../kit/until.js";

const jobmanager = { state: "ready" } as Instance;

function setup(jobmanagers: Instance[], failures = 0) {
  const closing = new AbortController();
  let announced = 0;
  let attempts = 0;
  let onJob = () => {};
  const firstJob = new Promise<void>((resolve) => {
    onJob = resolve;
  });
  const done = announceWithWork({
    hosted: {
      announce: async () => {
        if (attempts++ < failures) throw new Error("Redis is away");
        announced++;
      },
    },
    jobmanagers: { instances: () => jobmanagers },
    firstJob,
    log: quiet,
    signal: closing.signal,
  });
  return { closing, done, onJob, announced: () => announced };
}

test("an instance is announced with its first job, at once", async () => {
  const it = setup([jobmanager]);
  it.onJob();
  await it.done;
  expect(it.announced()).toBe(1);
});

test("while a jobmanager is there, an instance without a job is not announced, however long it takes", async () => {
  const jobmanagers = [jobmanager];
  const it = setup(jobmanagers);
  let looks = 0;
  jobmanagers.some = () => ++looks > 0;
  await until("it has looked twice", 5_000, () => looks >= 2);
  expect(it.announced()).toBe(0);
  it.onJob();
  await it.done;
  expect(it.announced()).toBe(1);
});

test("without any jobmanager an instance is announced after a second: clients are served, and let go, without work", async () => {
  const it = setup([]);
  await it.done;
  expect(it.announced()).toBe(1);
});

test("an announcement that does not reach discovery is made again", async () => {
  const it = setup([jobmanager], 2);
  it.onJob();
  await it.done;
  expect(it.announced()).toBe(1);
});

test("an instance that closes is not announced any more", async () => {
  const it = setup([jobmanager]);
  it.closing.abort();
  await it.done;
  it.onJob();
  expect(it.announced()).toBe(0);
});
