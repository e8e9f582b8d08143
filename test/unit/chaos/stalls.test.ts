// Percentiles of waiting: right for short waits, exact for long ones.

import { expect, test } from "@jest/globals";
import { Stalls } from "../../../chaos/stalls.js";

test("percentiles of short and long waits", () => {
  const stalls = new Stalls();
  for (let ms = 0; ms < 98; ms++) stalls.add(ms, []);
  stalls.add(5_000, ["kill-edge"]);
  stalls.add(7_000, ["kill-edge"]);
  expect(stalls.all).toEqual({ count: 100, p50: 50, p99: 5_000, max: 7_000 });
  expect(stalls.of("kill-edge")).toEqual({ count: 2, p50: 5_000, p99: 7_000, max: 7_000 });
});

test("a kind that nobody felt has no waits", () => {
  expect(new Stalls().of("kill-edge")).toEqual({ count: 0, p50: 0, p99: 0, max: 0 });
});

test("each client's longest wait counts once", () => {
  const stalls = new Stalls();
  for (const [client, ms] of [
    [0, 5],
    [0, 900],
    [1, 3],
    [1, 2],
    [2, 40],
  ] as const)
    stalls.add(ms, [], client);
  expect(stalls.worst).toEqual({ count: 3, p50: 41, p99: 901, max: 900 });
});
