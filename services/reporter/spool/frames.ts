// Frames: how records lie in a spool's file, so that what is whole is told from what is not. Pure.
//
//   | length, 4 bytes | checksum, 8 bytes | payload, length bytes |  next frame ...        numbers are big-endian
//
//   F1. A frame is believed only when it is there to its end and its checksum (of sha256) fits.
//   F2. What is not believed is a gap: from it on every byte is tried as the beginning of a frame. So a damaged record, or a damaged
//       length, costs that record and not those behind it.
//   F3. Frames are written one at a time, each synced before the next: only a gap at the end can be a write that did not get through
//       (torn), which was never promised to anybody. A last record that was damaged later can look the same.

import { createHash } from "node:crypto";

const HEAD_BYTES = 12;
/** A call of the most shares with the longest names is under 2 MB; a greater length is no length. */
export const PAYLOAD_BYTES_MAX = 8 * 1_024 * 1_024;

export function frame(payload: Uint8Array): Buffer {
  if (payload.length > PAYLOAD_BYTES_MAX) {
    throw new RangeError(`a spool's record has ${payload.length} bytes, allowed are ${PAYLOAD_BYTES_MAX}: a bug`);
  }
  const head = Buffer.alloc(HEAD_BYTES);
  head.writeUInt32BE(payload.length);
  checksum(payload).copy(head, 4);
  return Buffer.concat([head, payload]);
}

/** A part of the file. */
export interface Range {
  readonly offset: number;
  readonly length: number;
}

/** A whole frame; its range is that of head and payload. */
export interface Found extends Range {
  readonly payload: Buffer;
}

/** clean: nothing but frames. torn: its last write did not get through (F3). damaged: more than that is unreadable. */
export type Ending = "clean" | "torn" | "damaged";

interface Gap {
  readonly offset: number;
  length: number;
  /** What a frame that began here would take; 0: none can. */
  readonly claimed: number;
  /** Zeros only: bytes that a power cut kept room for and never wrote. */
  blank: boolean;
}

/** Reads frames from a file that comes in pieces. */
export class FrameReader {
  #rest: Buffer = Buffer.alloc(0);
  #offset = 0;
  readonly #gaps: Gap[] = [];
  /** The last gap is where we are. */
  #inGap = false;

  /** @param isLikely Whether a payload may begin so; asked within a gap only, where it spares hashing megabytes for nothing. */
  constructor(private readonly isLikely: (payload: Uint8Array) => boolean = () => true) {}

  /** The frames that this piece completes. */
  push(piece: Uint8Array): Found[] {
    this.#rest = Buffer.concat([this.#rest, piece]);
    return this.#read(false);
  }

  /** When there are no more pieces: frames behind a length that reached beyond the end. */
  end(): Found[] {
    return this.#read(true);
  }

  /** After end(): what cannot be read and is not only zeros. */
  get gaps(): readonly Range[] {
    return this.#gaps.filter(({ blank }) => !blank);
  }

  /** After end(). */
  get ending(): Ending {
    const [first] = this.#gaps;
    if (!first) return "clean";
    return this.#gaps.length === 1 && this.#inGap && (first.blank || first.length <= first.claimed)
      ? "torn"
      : "damaged";
  }

  #read(isEnd: boolean): Found[] {
    const found: Found[] = [];
    let at = 0;
    while (at < this.#rest.length) {
      const next = this.#at(at, isEnd);
      if (next === "later") break;
      if (next === "none") {
        this.#skip(at);
        at += 1;
        continue;
      }
      this.#inGap = false;
      found.push(next);
      at += next.length;
    }
    this.#rest = this.#rest.subarray(at);
    this.#offset += at;
    return found;
  }

  #at(at: number, isEnd: boolean): Found | "none" | "later" {
    const incomplete = isEnd ? "none" : "later";
    if (this.#rest.length - at < HEAD_BYTES) return incomplete;
    const length = HEAD_BYTES + this.#rest.readUInt32BE(at);
    if (length === HEAD_BYTES || length > HEAD_BYTES + PAYLOAD_BYTES_MAX) return "none";
    const payload = this.#rest.subarray(at + HEAD_BYTES, at + length);
    if (this.#inGap && payload.length >= LIKELY_BYTES && !this.isLikely(payload)) return "none";
    if (this.#rest.length - at < length) return incomplete;
    const sum = this.#rest.subarray(at + 4, at + HEAD_BYTES);
    return checksum(payload).equals(sum) ? { offset: this.#offset + at, length, payload } : "none";
  }

  /** This byte belongs to a gap. */
  #skip(at: number): void {
    const blank = this.#rest[at] === 0;
    const open = this.#inGap ? this.#gaps.at(-1) : undefined;
    if (open) {
      open.length += 1;
      open.blank &&= blank;
      return;
    }
    const bytes = this.#rest.length - at < HEAD_BYTES ? PAYLOAD_BYTES_MAX : this.#rest.readUInt32BE(at);
    const claimed = bytes > 0 && bytes <= PAYLOAD_BYTES_MAX ? HEAD_BYTES + bytes : 0;
    this.#gaps.push({ offset: this.#offset + at, length: 1, claimed, blank });
    this.#inGap = true;
  }
}

/** Of a payload that is still coming: as many say how it begins. */
const LIKELY_BYTES = 6;

const checksum = (payload: Uint8Array): Buffer => createHash("sha256").update(payload).digest().subarray(0, 8);
