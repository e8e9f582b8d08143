// Frames: how records lie in a spool's file, so that a torn one is told from a whole one. Pure.
//
//   | length, 4 bytes | checksum, 8 bytes | payload, length bytes |  next frame ...        numbers are big-endian
//
//   F1. A frame is believed only when it is there to its end and its checksum (of sha256) fits.
//   F2. Frames are written one at a time, each synced before the next: only the last one can be torn, and it was never
//       promised to anybody. Something unreadable with more behind it was damaged later, and that is another matter.

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

export interface Found {
  /** Of the whole frame in the file. */
  readonly offset: number;
  readonly length: number;
  readonly payload: Buffer;
}

/** clean: the file ends with a frame. torn: its last write did not get through (F2). damaged: more than that is unreadable. */
export type Ending = "clean" | "torn" | "damaged";

/** Reads frames from a file that comes in pieces. */
export class FrameReader {
  #rest: Buffer = Buffer.alloc(0);
  #offset = 0;
  #broken: { claimed: number; bytes: number; blank: boolean } | undefined;

  /** The frames that this piece completes. Nothing after one that is broken. */
  push(piece: Uint8Array): Found[] {
    if (this.#broken) {
      this.#skip(piece);
      return [];
    }
    this.#rest = Buffer.concat([this.#rest, piece]);
    const found: Found[] = [];
    for (let next = this.#next(); next; next = this.#next()) found.push(next);
    return found;
  }

  /** When there are no more pieces. */
  ending(): Ending {
    if (!this.#broken) return this.#rest.length === 0 ? "clean" : "torn"; // It only lacks its end.
    const { claimed, bytes, blank } = this.#broken;
    return blank || bytes <= claimed ? "torn" : "damaged";
  }

  #next(): Found | undefined {
    if (this.#rest.length < HEAD_BYTES) return undefined;
    const bytes = this.#rest.readUInt32BE();
    const possible = bytes > 0 && bytes <= PAYLOAD_BYTES_MAX;
    const length = HEAD_BYTES + bytes;
    if (possible && this.#rest.length < length) return undefined;
    const payload = this.#rest.subarray(HEAD_BYTES, length);
    if (!possible || !checksum(payload).equals(this.#rest.subarray(4, HEAD_BYTES))) {
      this.#broken = { claimed: possible ? length : 0, bytes: 0, blank: true };
      this.#skip(this.#rest);
      return undefined;
    }
    const found = { offset: this.#offset, length, payload };
    this.#rest = this.#rest.subarray(length);
    this.#offset += length;
    return found;
  }

  #skip(piece: Uint8Array): void {
    if (!this.#broken) return;
    this.#broken.bytes += piece.length;
    this.#broken.blank &&= piece.every((byte) => byte === 0);
    this.#rest = Buffer.alloc(0);
  }
}

const checksum = (payload: Uint8Array): Buffer => createHash("sha256").update(payload).digest().subarray(0, 8);
