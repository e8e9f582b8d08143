// Limits of waiting: one for every kind of fault, the same in the breaking machine and in the documentation.

import { readFileSync } from "node:fs";
import { expect, test } from "@jest/globals";
import { KINDS } from "../../../chaos/kinds.js";
import { limitOf } from "../../../chaos/limits.js";
import { limitsTable } from "../../../chaos/limits-table.js";

const felt = (name: string, fromMs = 0, untilMs = 0) => {
  const kind = KINDS.find((it) => it.name === name);
  if (!kind) throw new Error(`no kind ${name}`);
  return { number: 1, kind, target: "1", fromMs, untilMs };
};

test("docs/promises.md names each fault with its limit, whose it is, and why", () => {
  const text = readFileSync(new URL("../../../../docs/promises.md", import.meta.url), "utf8");
  expect(text).toContain(limitsTable());
});

test("without a fault, and while any instance of a service that has another one is broken, it is C1's second", () => {
  expect(limitOf([])).toEqual({ ms: 1_000, promise: "C1", why: "a backend lives" });
  for (const act of ["kill", "stop", "swap", "drain", "freeze"])
    for (const service of ["stratum", "jobmanager", "reporter"])
      expect(limitOf([felt(`${act}-${service}`)])).toEqual(limitOf([]));
});

test("faults that are felt together have the greatest of their limits, and the time of those in which nobody can be served", () => {
  expect(limitOf([felt("kill-stratum"), felt("kill-edge")])).toMatchObject({ ms: 2_000, promise: "C2" });
  expect(limitOf([felt("disk-full", 0, 700), felt("kill-edge")])).toMatchObject({ ms: 4_700 });
  expect(limitOf([felt("disk-full", 0, 700), felt("outage-redis")])).toMatchObject({ ms: 4_700 });
});
