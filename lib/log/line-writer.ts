// Writes log lines, and never harms who logs: no call blocks, throws or ends the process.
//
//   write(line) --nothing waits--> write(2), at once               a crash keeps every line before it
//               --the system refuses (full disk, slow reader)--> queue, at most QUEUE_BYTES_MAX --a timer tries again--> write(2)
//               --the queue is full--> dropped, counted; when writing works again a line says how many
//
// It needs no package: the keeper, which loads none, uses it as every other process does.

import { writeSync } from "node:fs";

/** Where lines go. */
export interface LineTarget {
  /** The descriptor for so many bytes; 0: for the rest of a line that was begun. Must not block in write(2); may throw, and is then asked again later. */
  fd(bytes: number): number;
  /** So many bytes have been written. */
  wrote?(bytes: number): void;
}

export interface LineWriterOptions {
  /** The line that says how many were lost; it ends with a newline. */
  readonly lost: (lines: number, why: string) => string;
  /** Writing begins to fail; told once until it works again. */
  readonly onProblem?: (error: Error) => void;
  /** Memory for lines that wait. Default 1 MiB: some 4,000 lines, minutes of a quiet service or the last second of a busy one. */
  readonly queueBytesMax?: number;
}

/** Some 4,000 lines. */
const QUEUE_BYTES_MAX = 1_048_576;
/** A reader that is slow is back within milliseconds; a full disk is looked at as often, which costs one system call. */
const RETRY_MS = 50;
/** One buffer for all that waits: more system calls than this would hold the event loop. */
const BATCH_BYTES_MAX = 65_536;
/** What a process that exits gives its reader to take what waits. */
const EXIT_MS = 200;

export class LineWriter {
  readonly #options: Required<Pick<LineWriterOptions, "queueBytesMax">> & LineWriterOptions;
  readonly #queue: Buffer[] = [];
  #queued = 0;
  /** The first in the queue is the rest of a line: it belongs to the file that has its beginning. */
  #torn = false;
  #lost = 0;
  #why = "";
  #problem: NodeJS.ErrnoException | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly target: LineTarget,
    options: LineWriterOptions,
  ) {
    this.#options = { queueBytesMax: QUEUE_BYTES_MAX, ...options };
  }

  /** Lines that were dropped and not yet told. */
  get lost(): number {
    return this.#lost;
  }

  /** @param line With its newline. */
  write(line: string | Buffer): void {
    const bytes = typeof line === "string" ? Buffer.from(line) : line;
    if (this.#queue.length === 0 && this.#lost === 0) {
      const rest = this.#try(bytes);
      if (rest !== undefined) this.#wait(rest);
    } else if (this.#queued + bytes.length > this.#options.queueBytesMax || this.#lost > 0) {
      if (this.#lost === 0)
        this.#why = this.#isSlowReader() ? "the reader was too slow" : (this.#problem?.message ?? "");
      this.#lost += 1; // Once one is lost, those after it are too, until the line that says so is in its place.
    } else {
      this.#wait(Buffer.from(bytes)); // A copy: the caller's may be part of a larger buffer, which would be kept as well.
    }
  }

  /** Writes what waits, as far as the system takes it. True: nothing waits any more. */
  flush(): boolean {
    for (;;) {
      if (this.#queue.length === 0 && !this.#tellLost()) break;
      const rest = this.#try(this.#batch());
      if (rest === undefined) continue;
      this.#queue.unshift(rest);
      this.#queued += rest.length;
      this.#later();
      return false;
    }
    clearTimeout(this.#timer);
    this.#timer = undefined;
    return true;
  }

  /** At the end of a process, or before a descriptor is closed: a reader that is alive gets what waits. */
  end(): void {
    const untilMs = Date.now() + EXIT_MS;
    while (!this.flush() && this.#isSlowReader() && Date.now() < untilMs) {
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5); // The loop has ended: nobody else waits.
    }
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #wait(bytes: Buffer): void {
    this.#queue.push(bytes);
    this.#queued += bytes.length;
    this.#later();
  }

  #later(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.flush();
    }, RETRY_MS).unref();
  }

  #batch(): Buffer {
    const parts: Buffer[] = [];
    let bytes = 0;
    while (bytes < BATCH_BYTES_MAX) {
      const next = this.#queue.shift();
      if (next === undefined) break;
      parts.push(next);
      bytes += next.length;
    }
    this.#queued -= bytes;
    return Buffer.concat(parts);
  }

  /** Queues the line about lost ones, when there are any. */
  #tellLost(): boolean {
    if (this.#lost === 0) return false;
    const line = Buffer.from(this.#options.lost(this.#lost, this.#why));
    this.#lost = 0;
    this.#queue.push(line);
    this.#queued += line.length;
    return true;
  }

  /** @returns what could not be written. */
  #try(bytes: Buffer): Buffer | undefined {
    let written = 0;
    try {
      const fd = this.target.fd(this.#torn ? 0 : bytes.length);
      while (written < bytes.length) written += writeSync(fd, bytes, written);
      this.#problem = undefined;
      this.#torn = false;
      return undefined;
    } catch (error) {
      this.#torn ||= written > 0;
      this.#failed(error as NodeJS.ErrnoException);
      return Buffer.from(bytes.subarray(written));
    } finally {
      if (written > 0) this.target.wrote?.(written);
    }
  }

  #failed(error: NodeJS.ErrnoException): void {
    const known = this.#problem !== undefined;
    this.#problem = error;
    if (!known && !this.#isSlowReader()) this.#options.onProblem?.(error);
  }

  #isSlowReader(): boolean {
    return this.#problem?.code === "EAGAIN";
  }
}
