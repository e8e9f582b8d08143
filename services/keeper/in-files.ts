// How many clients the limit on open files allows: each is one file here, and one in the edge, which inherits the limit.
//
//   RLIMIT_NOFILE --allowed--> at most so many clients are kept; the next one is closed at once and counted (P3 of keeper.ts)
//
// Without it a keeper or an edge runs out of files, and clients are neither served nor closed.

import { readFileSync } from "node:fs";

/** What an edge opens beside its clients: Redis, links to backends, probes, Node's own; and sockets on their way. */
export const FILES_BESIDE = 128;

/** @returns undefined when all of them are allowed. */
export function fewer(clientsMax: number, openFilesMax: number | undefined): number | undefined {
  if (openFilesMax === undefined || clientsMax + FILES_BESIDE <= openFilesMax) return undefined;
  return Math.max(1, openFilesMax - FILES_BESIDE);
}

/** Of this process, as Node has raised it at its start. Undefined: not Linux. */
export function openFilesMax(): number | undefined {
  try {
    const soft = /^Max open files\s+(\d+)/m.exec(readFileSync("/proc/self/limits", "utf8"))?.[1];
    return soft === undefined ? undefined : Number(soft);
  } catch {
    return undefined; // No such /proc.
  }
}
