// Heirs: a process that starts its own successor, gives it what it holds and ends (nginx and HAProxy upgrade so, and our keeper).
//
//   old process --starts--> heir, in a group of its own, HEADFRAME_SUCCEEDS=<old pid> in its environment      old process ends
//
// The watcher keeps the heir in the old one's place instead of starting another. It is not our child: its end is seen by looking.
//
//   R1. An heir carries this manager's mark, leads its group, and was started in the old one's life: a pid that is used again makes
//       no heirs.

import type { Exit } from "./exit.js";
import { MARK_VARIABLE } from "./leftovers.js";
import { allStats, type ProcStat, readStat, startedWith } from "./proc.js";

/** Of the keeper's contract, too (PredecessorVariable). */
export const SUCCEEDS_VARIABLE = "HEADFRAME_SUCCEEDS";
/** How soon the end of a process is seen that is not our child. */
const LOOK_EVERY_MS = 50;

export function findHeir(old: { readonly pid: number; readonly startTicks: number | undefined }, mark: string) {
  const { pid, startTicks } = old;
  if (startTicks === undefined) return undefined; // It ended before it could start anything.
  return allStats().find((stat) => {
    const leads = stat.group === stat.pid && stat.state !== "Z" && stat.startTicks >= startTicks;
    const named = leads && startedWith(stat.pid, `${SUCCEEDS_VARIABLE}=${pid}`);
    return named && startedWith(stat.pid, `${MARK_VARIABLE}=${mark}`); // R1
  });
}

/** Resolves when that very process has ended. How, nobody but its parent can know. */
export function untilEnded({ pid, startTicks }: ProcStat): Promise<Exit> {
  return new Promise((resolve) => {
    const look = setInterval(() => {
      const now = readStat(pid);
      if (now?.startTicks === startTicks && now.state !== "Z") return;
      clearInterval(look);
      resolve({ exitCode: null, signal: null });
    }, LOOK_EVERY_MS);
  });
}
