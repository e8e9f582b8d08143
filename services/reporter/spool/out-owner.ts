// Owners: whose spool a file is, written into its name, so that another reporter can tell a live owner's from an orphan.
//
//   OWNER = pid - start time of that process - pid namespace          on Linux; elsewhere every owner counts as a stranger
//
// This is only about speed. That nothing is lost when an owner lives after all is out-file.ts' promise (F3 there), so an owner
// that cannot be looked at (another container, another host with the same folder) may be taken for gone when its file is idle.

import { readFile, readlink } from "node:fs/promises";

/** Field 22 of /proc/PID/stat, counted after the command's name, which may hold anything. Source: proc(5). */
const START_TIME = 22 - 3;

/** This process. */
export async function ownName(): Promise<string> {
  return `${process.pid}-${(await startOf(process.pid)) ?? 0}-${(await namespace()) ?? 0}`;
}

/** undefined: it cannot be known from here. */
export async function isAlive(owner: string): Promise<boolean | undefined> {
  const [pid = "", start = "", space = ""] = owner.split("-");
  if (start === "0" || space === "0" || space !== (await namespace())) return undefined;
  return (await startOf(Number(pid))) === start;
}

async function startOf(pid: number): Promise<string | undefined> {
  try {
    const text = await readFile(`/proc/${pid}/stat`, "utf8");
    return text.slice(text.lastIndexOf(")") + 2).split(" ")[START_TIME];
  } catch {
    return undefined; // It is gone, or there is no /proc here.
  }
}

async function namespace(): Promise<string | undefined> {
  try {
    return /\d+/.exec(await readlink("/proc/self/ns/pid"))?.[0];
  } catch {
    return undefined;
  }
}
