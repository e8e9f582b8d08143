// Every benchmark still runs, and its answers are right; how fast it is, is judged on a quiet machine (npm run bench).
//
// Only with what the project itself needs: the packages that it is compared with are not installed for tests.

import { expect, test } from "@jest/globals";
import { BENCHMARKS } from "../../bench/all.js";
import { render } from "../../bench/kit/table.js";

/** A deadline, not a judgement: a machine with other things to do takes its time. */
const LIMIT_MS = 180_000;
const GIVE_UP_MS = 120_000;
const PRESENT: Readonly<Record<string, readonly string[]>> = {
  rpc: ["headframe", "raw", "zeromq"],
  push: ["headframe", "raw"],
  local: [],
  jobs: [],
  edge: [],
  shares: [],
  discovery: [],
  start: [],
};

test.each(Object.keys(PRESENT))(
  "the benchmark %s runs, and measures what it says",
  async (name) => {
    const run = await BENCHMARKS[name]?.();
    const only = PRESENT[name] ?? [];
    const signal = AbortSignal.timeout(GIVE_UP_MS);
    let doing = "it had not begun";
    const tell = (text: string): void => {
      doing = text;
    };
    const given = new Promise<never>((_, reject) => {
      signal.addEventListener("abort", () => reject(new Error(`not done within ${GIVE_UP_MS} ms, at: ${doing}`)));
    });
    const report = await Promise.race([run?.({ rounds: 1, ms: 60, scale: 0.02, only, signal, tell }), given]);
    if (!report) throw new Error(`there is no benchmark ${name}`);
    expect(report.rows.length).toBeGreaterThan(0);
    for (const row of report.rows) expect(row).toMatchObject({ n: expect.any(Number) });
    expect(report.rows.filter(({ n }) => !(n > 0))).toEqual([]);
    expect(report.floors.filter(({ found }) => !Number.isFinite(found))).toEqual([]);
    // What must not happen at all is no matter of speed: a client that is refused, or waits for a job in vain.
    expect(report.floors.some(({ limit, found }) => limit === 0 && found > 0) ? report.notes : []).toEqual([]);
    expect(render(report)).toContain(report.title);
  },
  LIMIT_MS,
);
