// Swaps as they are judged after the manager has done its part. The manager's control socket and discovery are stand-ins.

import { hostname } from "node:os";
import { expect, test } from "@jest/globals";
import type { Manager } from "../../../bin/manage/manager.js";
import { swapRolling, whatWentWrong } from "../../../bin/manage/swap.js";
import type { Instance } from "../../../lib/wiring/index.js";

/** A watcher whose process 1 becomes process 2; `listed`: those of them that stand in discovery. */
async function swapped(watcher: string, listed: readonly number[], after = [2]) {
  let pids = [1];
  const manager = {
    pids: async () => pids,
    patienceMs: async () => 1_000,
    reload: async () => {
      pids = after;
    },
  };
  const instances = async () =>
    listed.map(
      (pid) => ({ service: "s", id: `s-${pid}`, pid, host: hostname(), state: "ready" }) as unknown as Instance,
    );
  const stood = { manager: manager as unknown as Manager, instances, tell: () => {} };
  return swapRolling({ ...stood, watcher, service: watcher });
}

test("a watcher of another name than its service, or without any, is swapped when the manager says so", async () => {
  expect(await swapped("s-controller", [1, 2])).toMatchObject({ ok: true, serving: [{ pid: 2 }] });
  expect(await swapped("s-watcher", [])).toMatchObject({ ok: true, serving: [] });
});

test("a replaced process that discovery does not have is told as that, and no old instance is said to stay that has gone", async () => {
  const missing = await swapped("s", [1]);
  expect(missing).toMatchObject({ ok: false, serving: [] });
  expect(whatWentWrong({ ...missing, serving: [{ id: "s-3", pid: 3 }] })).toMatch(
    /not swapped; s-3 serves already\n.*pid 2/,
  );
});

test("processes that only read their configuration again are not called swapped", async () => {
  const report = await swapped("s-controller", [1], [1]);
  expect(report.ok).toBe(false);
  expect(whatWentWrong(report)).toMatch(/the old instances stay\n.*send_hup/);
});
