// Run: the messages of one push that go to many subscribers, encoded once, one behind the other.
//
//   push() --> Run: [length u32 | message] [length u32 | message] ...      one for all subscribers
//                   \____ from here to there ____/ --> frame of subscriber A, as one copy     (outbox.ts, its tail)
//                                \________________/ --> frame of subscriber B
//
// An outbox that follows a run remembers where its part begins and ends, and copies it when its frame is closed. While nobody
// follows, the bytes are used anew.

import type { Codec } from "../quick/codec.js";
import { CRAMPED } from "../quick/writer.js";

/** Before each message. */
export const RUN_HEAD_BYTES = 4;
/** A run that has grown to this is left to its followers, and another one is begun: a few frames' worth. */
const RUN_BYTES_MAX = 131_072;
const RUN_BYTES_MIN = 4_096;

export class Run {
  /** Outboxes that have a part of it to copy. */
  followers = 0;
  bytes: Buffer = Buffer.alloc(0);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  get full(): boolean {
    return this.followers > 0 && this.#length >= RUN_BYTES_MAX;
  }

  /** Before its next message, and before whoever adds it follows, too: while nobody does, the bytes are used anew. */
  rewind(): void {
    if (this.followers === 0) this.#length = 0;
  }

  /** @returns where it begins; it ends at `length`. -1: it must be encoded by the library. */
  add(codec: Codec, message: unknown): number {
    const start = this.#length;
    const at = start + RUN_HEAD_BYTES;
    let end = codec.write(message, this.bytes, at, this.bytes.length);
    while (end === CRAMPED && this.bytes.length < 2 * RUN_BYTES_MAX) {
      this.#grow();
      end = codec.write(message, this.bytes, at, this.bytes.length);
    }
    if (end < 0) return -1;
    this.bytes.writeUInt32LE(end - at, start);
    this.#length = end;
    return start;
  }

  #grow(): void {
    const grown = Buffer.allocUnsafe(Math.max(RUN_BYTES_MIN, 2 * this.bytes.length));
    grown.set(this.bytes.subarray(0, this.#length));
    this.bytes = grown;
  }
}
