// A log file: appended to, rotated by size, opened again when it was moved away.
//
//   F1. Before it would reach max_bytes, FILE becomes FILE.1, FILE.1 becomes FILE.2, up to backup_count; with backup_count 0 it goes on
//       growing.
//   F2. A file that somebody else renamed, removed or truncated (logrotate) is noticed within LOOK_EVERY_MS: the next line goes to a new file
//       at the old name.

import { closeSync, existsSync, fstatSync, mkdirSync, openSync, renameSync, statSync } from "node:fs";
import path from "node:path";
import { type LineTarget, LineWriter } from "./line-writer.js";
import { lostAsJson } from "./standard.js";

export interface RotationLimits {
  readonly max_bytes: number;
  readonly backup_count: number;
}

/** Two system calls so often, while lines come. */
const LOOK_EVERY_MS = 500;

export class LogFile implements LineTarget {
  #fd: number | undefined;
  #bytes = 0;
  #lookedAtMs = 0;
  #rotates = true;

  constructor(
    private readonly filename: string,
    private readonly limits: RotationLimits = { max_bytes: 0, backup_count: 0 },
    /** It cannot be rotated and grows on; told once until it can. */
    private readonly onNotRotated: (error: unknown) => void = () => undefined,
  ) {}

  fd(bytes: number): number {
    this.#look();
    this.#fd ??= this.#open();
    if (!this.#full(bytes)) return this.#fd;
    return this.#rotate();
  }

  wrote(bytes: number): void {
    this.#bytes += bytes;
  }

  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }

  #open(): number {
    mkdirSync(path.dirname(this.filename), { recursive: true });
    const fd = openSync(this.filename, "a");
    this.#bytes = fstatSync(fd).size;
    return fd;
  }

  /** F2 */
  #look(): void {
    const nowMs = performance.now();
    if (this.#fd === undefined || nowMs - this.#lookedAtMs < LOOK_EVERY_MS) return;
    this.#lookedAtMs = nowMs;
    const ours = fstatSync(this.#fd);
    const there = statSync(this.filename, { throwIfNoEntry: false });
    if (there?.ino === ours.ino && there.dev === ours.dev) this.#bytes = ours.size;
    else this.close();
  }

  #full(more: number): boolean {
    const { max_bytes, backup_count } = this.limits;
    return max_bytes > 0 && backup_count > 0 && this.#bytes > 0 && this.#bytes + more >= max_bytes;
  }

  #rotate(): number {
    try {
      for (let i = this.limits.backup_count - 1; i > 0; i--) {
        const from = `${this.filename}.${i}`;
        if (existsSync(from)) renameSync(from, `${this.filename}.${i + 1}`);
      }
      renameSync(this.filename, `${this.filename}.1`);
      this.close();
      this.#rotates = true;
    } catch (error) {
      this.#bytes = 0; // Not again with the very next line.
      if (this.#rotates) this.onNotRotated(error);
      this.#rotates = false;
    }
    this.#fd ??= this.#open();
    return this.#fd;
  }
}

/** A file that only this process logs to, as JSON lines. */
export function openLogFile(filename: string): LineWriter {
  const writer = new LineWriter(new LogFile(filename), { lost: lostAsJson });
  process.once("exit", () => writer.end());
  return writer;
}
