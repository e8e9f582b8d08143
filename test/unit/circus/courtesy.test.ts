// Courtesy towards those who serve: a process that starts beside them lets them go first, and is their equal as soon as it is ready.

import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { expect, test } from "@jest/globals";
import { Courtesy } from "../../../circus/courtesy.js";
import { readStat } from "../../../circus/proc.js";
import { startArbiter } from "../../kit/circus.js";
import { atEnd } from "../../kit/cleanup.js";
import { until } from "../../kit/until.js";

const WATCHER = "[watcher:w]\ncmd = sleep 1000\ncopy_env = true\nready = true\nnumprocesses = 2\n";

/** How far behind a process is: that of its session where Linux counts so, else its own. */
function nice(pid: number): number {
  try {
    return Number(/nice (-?\d+)/.exec(readFileSync(`/proc/${pid}/autogroup`, "utf8"))?.[1] ?? 0) || own(pid);
  } catch {
    return own(pid);
  }
}

const own = (pid: number): number => readStat(pid)?.nice ?? 0;

function sleeper(): number {
  const child = spawn("sleep", ["1000"], { detached: true, stdio: "ignore" });
  atEnd(() => void child.kill("SIGKILL"));
  if (child.pid === undefined) throw new Error("sleep does not start");
  return child.pid;
}

/** What this machine allows: 10, or 0 where nobody could take it back. */
const most = (): number => (Courtesy.ask(sleeper()) ? 10 : 0);

test("it does so for some seconds at most: on a machine that is busy for good it would never get ready", async () => {
  const pid = sleeper();
  Courtesy.ask(pid, 100);
  expect(nice(pid)).toBe(most());
  await until("it is an equal", 2_000, () => nice(pid) === 0);
});

test("C1 a process that starts beside one that serves lets all others go first until it is ready; with nobody left it does so no more", async () => {
  const ready = new Map<number, () => void>();
  let ask = false;
  const readiness = (_watcher: string, pid: number): Promise<void> =>
    ask ? new Promise((resolve) => ready.set(pid, resolve)) : Promise.resolve();
  const { pids } = await startArbiter(WATCHER, { readiness });
  const before = pids("w");
  expect(before.map(nice)).toEqual([0, 0]); // At the start nobody serves.
  ask = true;
  const [first = 0, second = 0] = before;
  process.kill(first, "SIGKILL");
  const fresh = await until("another one starts", 2_000, () => [...ready.keys()][0]);
  expect([nice(second), nice(fresh)]).toEqual([0, most()]);
  ready.get(fresh)?.();
  await until("it is an equal", 2_000, () => nice(fresh) === 0);
  process.kill(second, "SIGKILL");
  const last = await until("the next one starts", 2_000, () => [...ready.keys()].find((pid) => pid !== fresh));
  expect(nice(last)).toBe(most());
  process.kill(fresh, "SIGKILL");
  await until("it is all there is", 2_000, () => nice(last) === 0);
});
