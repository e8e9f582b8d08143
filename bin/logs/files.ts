// The log files of one run: what they hold, and what is written to them from now on.
//
//   run/current/logs/*.log --the last TAIL_BYTES of each--> lines, by time        --follow--> lines as they come
//
//   F1. A file that was rotated away is read to its end, then the new one from its beginning.
//   F2. A line is told when it is whole.

import { existsSync } from "node:fs";
import { type FileHandle, open, readdir } from "node:fs/promises";
import { basename, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

/** Of each file: some 30,000 lines. */
const TAIL_BYTES = 8 * 1_024 * 1_024;
const LOOK_EVERY_MS = 200;
const CHUNK_BYTES = 256 * 1_024;

export interface Line {
  /** The file's name without `.log`. */
  readonly source: string;
  readonly text: string;
}

/** The newest run's, also after it has ended. Undefined: there was none. */
export async function newestLogs(runDirectory: string): Promise<string | undefined> {
  const current = join(runDirectory, "current", "logs");
  if (existsSync(current)) return current;
  const runs = await readdir(runDirectory).catch(() => []);
  const newest = runs
    .filter((name) => /^\d{8}-\d{6}-\d+$/.test(name))
    .sort()
    .at(-1);
  return newest === undefined ? undefined : join(runDirectory, newest, "logs");
}

export class LogFiles {
  readonly #files = new Map<string, LogFile>();

  constructor(readonly folder: string) {}

  /** What there is now, file by file. */
  async read(): Promise<Line[]> {
    await this.#find(TAIL_BYTES);
    return this.#new();
  }

  /** Whole lines as they come, until the signal. */
  async *follow(signal: AbortSignal): AsyncGenerator<Line[]> {
    while (!signal.aborted) {
      await delay(LOOK_EVERY_MS, undefined, { signal }).catch(() => {});
      await this.#find(Number.POSITIVE_INFINITY); // A process that starts late is read from its first line.
      const lines = await this.#new();
      if (lines.length > 0) yield lines;
    }
  }

  async close(): Promise<void> {
    for (const file of this.#files.values()) await file.close();
  }

  async #find(bytes: number): Promise<void> {
    for (const name of (await readdir(this.folder)).sort()) {
      if (!name.endsWith(".log") || this.#files.has(name)) continue;
      this.#files.set(name, await LogFile.open(join(this.folder, name), bytes));
    }
  }

  async #new(): Promise<Line[]> {
    const lines: Line[] = [];
    for (const [name, file] of this.#files) {
      for (const text of await file.lines()) lines.push({ source: basename(name, ".log"), text });
    }
    return lines;
  }
}

class LogFile {
  #rest = "";

  private constructor(
    readonly path: string,
    private file: FileHandle,
    private at: number,
  ) {}

  /** @param bytes From the end; the first line is then perhaps not whole, and left out. */
  static async open(path: string, bytes: number): Promise<LogFile> {
    const file = await open(path, "r");
    const { size } = await file.stat();
    const opened = new LogFile(path, file, Math.max(0, size - bytes));
    if (size > bytes) await opened.#skipLine();
    return opened;
  }

  async lines(): Promise<string[]> {
    const lines = await this.#read();
    if (!(await this.#rotated())) return lines;
    await this.file.close(); // F1
    this.file = await open(this.path, "r");
    this.at = 0;
    return [...lines, ...(await this.#read())];
  }

  async close(): Promise<void> {
    await this.file.close();
  }

  async #read(): Promise<string[]> {
    const chunk = Buffer.alloc(CHUNK_BYTES);
    const parts: Buffer[] = [];
    for (;;) {
      const { bytesRead } = await this.file.read(chunk, 0, CHUNK_BYTES, this.at);
      if (bytesRead === 0) break;
      parts.push(Buffer.from(chunk.subarray(0, bytesRead)));
      this.at += bytesRead;
    }
    const lines = (this.#rest + Buffer.concat(parts).toString("utf8")).split("\n");
    this.#rest = lines.pop() ?? ""; // F2
    return lines;
  }

  async #skipLine(): Promise<void> {
    const [, ...rest] = await this.#read();
    this.#rest = [...rest, this.#rest].join("\n");
  }

  async #rotated(): Promise<boolean> {
    const now = await open(this.path, "r").catch(() => undefined); // Between its two names for a moment.
    if (!now) return false;
    const [there, here] = await Promise.all([now.stat(), this.file.stat()]);
    await now.close();
    return there.ino !== here.ino;
  }
}
