// Where the output of watched processes goes: files that rotate, or the manager's own output.
//
//   child's stdout -> LineSplitter -> LogSink (a file, shared by all processes of all watchers that name it)
//
//   L1. A line is never torn by a rotation, nor mixed with another process's line.
//   L2. Before a file would reach max_bytes it becomes FILE.1, FILE.1 becomes FILE.2, up to backup_count; with backup_count 0
//       it just goes on growing, as in Circus.
//   L3. With time_format each line begins `TIME [PID] | `.
//   L4. A full disk costs log lines, never a process: the failure is reported once, until writing works again.
//
// Lines are written synchronously: they are few, and what a process said right before it died must be there.

import { closeSync, existsSync, fstatSync, mkdirSync, openSync, renameSync, writeSync } from "node:fs";
import path from "node:path";
import { formatTime } from "./timestamp.js";
import type { StreamConfig } from "./watcher-config.js";

/** A line without an end is cut here, so that memory stays bounded. */
export const LINE_BYTES_MAX = 65_536;

/** Cuts a stream of bytes into whole lines, each with its newline. */
export class LineSplitter {
  #rest: Buffer = Buffer.alloc(0);

  constructor(private readonly take: (line: Buffer) => void) {}

  push(chunk: Buffer): void {
    let data = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    for (;;) {
      const newline = data.indexOf(10);
      if (newline < 0 && data.length < LINE_BYTES_MAX) break;
      const end = newline < 0 || newline >= LINE_BYTES_MAX ? LINE_BYTES_MAX : newline + 1;
      this.take(data.subarray(0, end));
      data = data.subarray(end);
    }
    this.#rest = data;
  }

  /** What is left when the stream ends. */
  end(): void {
    if (this.#rest.length > 0) this.take(Buffer.concat([this.#rest, Buffer.from("\n")]));
    this.#rest = Buffer.alloc(0);
  }
}

/** Takes whole lines of the process `pid`. */
export type LogSink = (line: Buffer, pid: number) => void;

export interface LogFiles {
  /** One writer per file name, however many streams use it. */
  sink(config: StreamConfig): LogSink;
  close(): void;
}

/** @param onProblem Told once when writing begins to fail (L4). */
export function openLogFiles(onProblem: (file: string, error: unknown) => void): LogFiles {
  const files = new Map<string, LogFile>();
  const fileSink = (config: StreamConfig, filename: string): LogSink => {
    const file = files.get(filename) ?? new LogFile(filename, config, (error) => onProblem(filename, error));
    files.set(filename, file);
    return (line, pid) => file.write(stamped(line, pid, config.time_format));
  };
  return {
    sink: (config) =>
      config.class === "FileStream" && config.filename !== undefined
        ? fileSink(config, path.resolve(config.filename))
        : (line, pid) => void process.stdout.write(stamped(line, pid, config.time_format)),
    close: () => {
      for (const file of files.values()) file.close();
    },
  };
}

function stamped(line: Buffer, pid: number, format: string | undefined): Buffer {
  if (format === undefined) return line;
  return Buffer.concat([Buffer.from(`${formatTime(format, new Date())} [${pid}] | `), line]);
}

class LogFile {
  #fd: number | undefined;
  #bytes = 0;
  #failing = false;

  constructor(
    private readonly filename: string,
    private readonly limits: { readonly max_bytes: number; readonly backup_count: number },
    private readonly onProblem: (error: unknown) => void,
  ) {}

  write(line: Buffer): void {
    try {
      if (this.#full(line.length)) this.#rotate();
      this.#fd ??= this.#open();
      writeSync(this.#fd, line);
      this.#bytes += line.length;
      this.#failing = false;
    } catch (error) {
      if (!this.#failing) this.onProblem(error); // L4
      this.#failing = true;
    }
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

  #full(more: number): boolean {
    const { max_bytes, backup_count } = this.limits;
    this.#fd ??= this.#open();
    return max_bytes > 0 && backup_count > 0 && this.#bytes > 0 && this.#bytes + more >= max_bytes;
  }

  #rotate(): void {
    this.close();
    for (let i = this.limits.backup_count - 1; i > 0; i--) {
      const from = `${this.filename}.${i}`;
      if (existsSync(from)) renameSync(from, `${this.filename}.${i + 1}`);
    }
    renameSync(this.filename, `${this.filename}.1`);
  }
}

/** The last lines that a process said, for the report of its failure. */
export class Tail {
  /** A stack trace fits; a report stays readable. */
  static readonly LINES_MAX = 20;
  static readonly LINE_CHARS_MAX = 500;
  #lines: string[] = [];

  add(line: Buffer): void {
    this.#lines.push(line.toString("utf8").trimEnd().slice(0, Tail.LINE_CHARS_MAX));
    if (this.#lines.length > Tail.LINES_MAX) this.#lines.shift();
  }

  get lines(): readonly string[] {
    return this.#lines;
  }
}
