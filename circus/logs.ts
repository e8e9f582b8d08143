// Where the output of watched processes goes: files that rotate, or the manager's own output.
//
//   child's stdout -> LineSplitter -> LogSink (a file, shared by all processes of all watchers that name it)
//
//   L1. A line is never torn by a rotation, nor mixed with another process's line.
//   L2. Files rotate at max_bytes, and may be rotated by others (lib/log/file.ts).
//   L3. With time_format each line begins `TIME [PID] | `.
//   L4. A full disk costs log lines, never a process: the failure is reported once, and the file says how many were lost.

import path from "node:path";
import { LineWriter, LogFile, standardLines } from "../lib/log/index.js";
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
  const files = new Map<string, { readonly file: LogFile; readonly lines: LineWriter }>();
  const open = (config: StreamConfig, filename: string): LineWriter => {
    const known = files.get(filename);
    if (known !== undefined) return known.lines;
    const told = (error: unknown): void => onProblem(filename, error);
    const file = new LogFile(filename, config, told);
    const lines = new LineWriter(file, { lost, onProblem: told });
    files.set(filename, { file, lines });
    return lines;
  };
  return {
    sink: (config) => {
      const { class: kind, filename, time_format } = config;
      const toFile = kind === "FileStream" && filename !== undefined;
      const lines = toFile ? open(config, path.resolve(filename)) : standardLines(1);
      return (line, pid) => lines.write(stamped(line, pid, time_format));
    },
    close: () => {
      for (const { file, lines } of files.values()) {
        lines.end();
        file.close();
      }
      files.clear();
    },
  };
}

/** Among lines of any form. */
function lost(lines: number, why: string): string {
  return `${new Date().toISOString()} ${lines} lines were lost here: ${why}\n`;
}

function stamped(line: Buffer, pid: number, format: string | undefined): Buffer {
  if (format === undefined) return line;
  return Buffer.concat([Buffer.from(`${formatTime(format, new Date())} [${pid}] | `), line]);
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
