// The two standard outputs of this process as log targets. One writer each, whoever uses it, so that lines keep their order.

import { constants, fstatSync, openSync } from "node:fs";
import { LineWriter } from "./line-writer.js";

export type StandardFd = 1 | 2;

const writers = new Map<StandardFd, LineWriter>();

/** Lines to stdout (1) or stderr (2) of this process. What waits is written when the process exits, if its reader takes it. */
export function standardLines(fd: StandardFd): LineWriter {
  const known = writers.get(fd);
  if (known !== undefined) return known;
  const open = unblocked(fd);
  const writer = new LineWriter({ fd: () => open }, { lost: lostAsJson });
  writers.set(fd, writer);
  process.once("exit", () => writer.end());
  return writer;
}

/** As the other lines of a service's log: JSON, level 40 is a warning. */
export function lostAsJson(lines: number, why: string): string {
  return `${JSON.stringify({ level: 40, time: Date.now(), pid: process.pid, lost: lines, msg: `${lines} log lines were lost here: ${why}` })}\n`;
}

/**
 * A descriptor of the same output that does not block. Files never do. A pipe or a terminal is opened again, so that nobody who
 * shares it is disturbed; a socket, which cannot be, is set by Node when its stream is made.
 */
function unblocked(fd: StandardFd): number {
  try {
    const kind = fstatSync(fd);
    if (kind.isFile()) return fd;
    if (kind.isSocket()) {
      const stream = fd === 1 ? process.stdout : process.stderr;
      stream.on("error", () => {}); // Others may use it; what is written here never goes through it.
      return fd;
    }
    return openSync(`/proc/self/fd/${fd}`, constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  } catch {
    return fd; // Closed, or not to be opened again: write(2) says what is wrong, and the writer keeps it to itself.
  }
}
