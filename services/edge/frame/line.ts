// line: cuts a client's byte stream into lines.
//
//   socket chunks --push--> LineFramer --take--> line | undefined (needs more) | "too-long"
//
//   F1. Where the chunks are cut makes no difference to the lines.
//   F2. A line is at most LINE_BYTES_MAX bytes. Past that the framer says "too-long", for good, and keeps nothing.
//   F3. A newline ends a line; a carriage return right before it is no part of the line; a line without bytes is skipped.
//   F4. Nothing is cut before it is asked for: who does not take lines holds at most the chunks that were pushed.
//   F5. A line that lies in one chunk is not copied, unless it would keep a much larger chunk in memory.

import { LINE_BYTES_MAX } from "../../../lib/contracts/index.js";

const NEWLINE = 0x0a;
const RETURN = 0x0d;
/** A chunk more than this many times as large as its line is not kept alive for it. */
const COPY_RATIO = 4;
/** Chunks that hold no line end yet; more of them are joined, since each costs more than its bytes (a client may send one a packet). */
const LOOSE_CHUNKS_MAX = 16;

export class LineFramer {
  /** Not taken yet. Everything before #next holds no newline. */
  #chunks: Buffer[] = [];
  /** Bytes of the first chunk that were taken. */
  #offset = 0;
  #next = 0;
  /** Bytes of the unfinished line in the chunks before #next. */
  #unfinished = 0;
  #broken = false;

  /** The framer keeps the chunk: nobody may write to it afterwards. */
  push(chunk: Uint8Array): void {
    if (this.#broken || chunk.length === 0) return;
    if (this.#next > LOOSE_CHUNKS_MAX) this.#join();
    this.#chunks.push(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length));
  }

  take(): Uint8Array | "too-long" | undefined {
    while (!this.#broken) {
      const line = this.#cut();
      if (line === undefined) return this.#broken ? "too-long" : undefined;
      if (line.length > LINE_BYTES_MAX) this.#break();
      else if (line.length > 0) return line;
    }
    return "too-long";
  }

  /** Bytes that were pushed and not taken. */
  get buffered(): number {
    return this.#chunks.reduce((sum, chunk) => sum + chunk.length, 0) - this.#offset;
  }

  /** Everything that was not taken: pushed into another framer, it continues the stream. This one is empty afterwards. */
  rest(): Uint8Array {
    const rest = Buffer.concat(this.#chunks).subarray(this.#offset);
    this.#clear();
    return rest;
  }

  /** The bytes up to the next newline, or undefined when there is none. */
  #cut(): Buffer | undefined {
    for (; this.#next < this.#chunks.length; this.#next++) {
      const chunk = this.#chunks[this.#next];
      if (!chunk) return undefined;
      const from = this.#next === 0 ? this.#offset : 0;
      const at = chunk.indexOf(NEWLINE, from);
      if (at >= 0) return withoutReturn(this.#remove(chunk, from, at));
      this.#unfinished += chunk.length - from;
      if (this.#unfinished > LINE_BYTES_MAX + 1) return this.#break(); // One more for a carriage return.
    }
    return undefined;
  }

  #remove(last: Buffer, from: number, at: number): Buffer {
    const tail = last.subarray(from, at);
    let line = tail;
    if (this.#next > 0) {
      line = Buffer.concat(
        [...this.#chunks.slice(0, this.#next), tail],
        this.#unfinished + this.#offset + tail.length,
      ).subarray(this.#offset);
    } else if (last.length > tail.length * COPY_RATIO) {
      line = Buffer.from(tail);
    }
    const used = at + 1 === last.length;
    const gone = used ? this.#next + 1 : this.#next;
    if (gone === this.#chunks.length) this.#chunks = [];
    else if (gone > 0) this.#chunks.splice(0, gone);
    this.#offset = used ? 0 : at + 1;
    this.#next = 0;
    this.#unfinished = 0;
    return line;
  }

  #join(): void {
    const joined = Buffer.concat(this.#chunks.slice(0, this.#next)).subarray(this.#offset);
    this.#chunks.splice(0, this.#next, joined);
    this.#offset = 0;
    this.#next = 1;
  }

  #break(): undefined {
    this.#broken = true;
    this.#clear();
  }

  #clear(): void {
    this.#chunks = [];
    this.#offset = 0;
    this.#next = 0;
    this.#unfinished = 0;
  }
}

function withoutReturn(line: Buffer): Buffer {
  return line.length > 0 && line[line.length - 1] === RETURN ? line.subarray(0, -1) : line;
}
