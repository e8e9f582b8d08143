// A claim on a directory: at most one process holds it, and the kernel gives it back when that process is gone, however it ended.
//
//   claim(directory) -> open(2) the directory -> flock(1) locks what is behind the descriptor -> we keep the descriptor
//
// flock(2) locks belong to the open file, not to the process that asked: util-linux's flock locks ours and exits. There is no file to
// be left over, no pid that a stranger may have by now, and no moment between looking and taking.

import { spawnSync } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { CircusError, reasonOf } from "./errors.js";

export interface Claim {
  /** Gives it back. Safe twice. */
  release(): void;
}

/** Of flock(1), for "somebody else has it"; its own failures have others. */
const TAKEN_CODE = 75;
/** The descriptor's number in flock(1). */
const CHILD_FD = 3;

/**
 * Undefined: another process holds it.
 *
 * @param waitS Seconds to wait for the holder, for claims that are held for a moment only. Default 0.
 * @throws {CircusError} OS when the directory cannot be opened or locked.
 */
export function claim(directory: string, waitS = 0): Claim | undefined {
  let fd: number | undefined;
  try {
    fd = openSync(directory, "r");
    const how = waitS > 0 ? ["-w", String(waitS)] : ["-n"];
    const { status, error, stderr } = spawnSync("flock", ["-x", ...how, "-E", String(TAKEN_CODE), String(CHILD_FD)], {
      stdio: ["ignore", "ignore", "pipe", fd],
      encoding: "utf8",
    });
    if (error !== undefined) throw error;
    if (status === 0) return held(fd);
    closeSync(fd);
    fd = undefined;
    if (status === TAKEN_CODE) return undefined;
    throw new Error(stderr.trim() || `flock ended with ${status}`);
  } catch (error) {
    if (fd !== undefined) closeSync(fd);
    const what = `cannot lock ${directory}: ${reasonOf(error)}; flock (package util-linux) is needed`;
    throw new CircusError("OS", what, { cause: error });
  }
}

function held(fd: number): Claim {
  let open = true;
  return {
    release: () => {
      if (open) closeSync(fd);
      open = false;
    },
  };
}
