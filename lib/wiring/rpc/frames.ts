// Frames: the bytes between two processes. Everything said to a peer in one tick of the event loop is one frame, because a
// frame costs ZeroMQ the same whether it holds one message or a thousand.
//
//   frame   = 'H' | format 1 | sentAt f64 | message*
//   message = kind u8 | payload length u32 | id u32 | a u32 | b u32 | payload           all little-endian
//
// One fixed shape for all kinds: reading it is a few loads, a push to many peers copies one payload behind many headers,
// and a kind from a later version can be skipped. What id, a and b mean depends on the kind (KIND, below).
//
//   F1. Whatever the bytes, reading them throws nothing but FrameError, and before any message was handed out.
//   F2. What was put in comes out: same messages, same order.

import type { Codec } from "../quick/codec.js";
import { CRAMPED } from "../quick/writer.js";

/** `id a b payload` of each kind. c -> s: from who connected (client.ts) to who listens (server.ts). */
export const KIND = {
  /** c -> s, first. id: what the caller understands beside the rest (UNDERSTOOD), a: protocol version, b: window in bytes. Payload: handshake.ts. */
  hello: 1,
  /** s -> c, when the proof holds: the session begins. a: protocol version, b: window in bytes. Payload: the listener's PeerId. */
  welcome: 2,
  /** Both. The link ends. id: a REFUSAL, or 0. Payload: why. */
  goodbye: 3,
  /** Both, on an idle link; answered by `pong`. */
  ping: 4,
  pong: 5,
  /** Both. a + b * 2^32: bytes of frames read so far, each with FRAME_COST; opens the other side's window. */
  credit: 6,
  /** c -> s. From now on id stands for the method. Payload: instance id, newline, method. */
  name: 7,
  /** c -> s. id: of the call, a: the method's name, b: budget left in milliseconds. Payload: the request. */
  request: 8,
  /** s -> c. id: of the call. Payload: the reply. */
  reply: 9,
  /** s -> c. id: of the call. Payload: code, newline, text. */
  failure: 10,
  /** c -> s. id: of the call, whose caller has given up. */
  cancel: 11,
  /** c -> s. id: the subscription's. Payload: instance id, newline, push. */
  subscribe: 12,
  unsubscribe: 13,
  /** s -> c. id: the subscription's. The stream begins. */
  subscribed: 14,
  /** s -> c. id: the subscription's, a + b * 2^32: sequence number, 0 in a snapshot. Payload: the message. */
  push: 15,
  /** s -> c. id: the subscription's, a + b * 2^32: the next number. What is missing up to it was dropped; a snapshot follows. */
  hole: 16,
  /** c -> s. id: the subscription's. The receiver saw a hole of its own: asks for `hole` and a snapshot. */
  resync: 17,
  /** s -> c. Payload: an instance id that this process no longer serves. */
  withdrawn: 18,
  /** s -> c, to who understands it. id: the subscription's, a + b * 2^32: the first one's number. Payload: (length u32 | message)*. */
  pushes: 19,
  /** s -> c, answers hello. a: protocol version, b: window in bytes. Payload: handshake.ts. */
  challenge: 20,
  /** c -> s, answers challenge. Payload: handshake.ts. */
  proof: 21,
  /** s -> c. id: a subscription that is not taken. Payload: as of `failure`. */
  refused: 22,
  /** c -> s. Payload: an instance id; answered by `withdrawn` when this process does not serve it. */
  ask: 23,
} as const;

/** Bits of a hello's id. */
export const UNDERSTOOD = { pushes: 1 } as const;

/** A goodbye's id. */
export const REFUSAL = {
  /** The proof does not hold: another secret, or another cluster. */
  unauthenticated: 1,
} as const;

/**
 * The newest protocol that this process speaks. 2: both sides prove that they know the installation's secret.
 *
 * Two versions of headframe run side by side during every upgrade, and during every way back. So whoever raises this leaves
 * PROTOCOL_OLDEST at the number before, and speaks both; the layout of `hello`, `challenge` and `proof` never changes.
 */
export const PROTOCOL_VERSION = 2;
/** 1 has no authentication, and stays refused. */
export const PROTOCOL_OLDEST = 2;

/** What the two sides speak: the smaller of their newest numbers. Undefined: one of them no longer speaks it. */
export function commonProtocol(offered: number): number | undefined {
  const common = Math.min(offered, PROTOCOL_VERSION);
  return common >= PROTOCOL_OLDEST ? common : undefined;
}

const MAGIC = 0x48;
const FORMAT = 1;
/** Magic, format, sentAt. */
export const FRAME_HEADER_BYTES = 10;
export const MESSAGE_HEADER_BYTES = 17;
/** What a frame counts beside its bytes in the window: ZeroMQ's own bookkeeping, so that tiny frames are bounded too. */
export const FRAME_COST = 128;
const TWO_32 = 0x1_0000_0000;

/** A frame that is none: cut off, grown, or not ours. */
export class FrameError extends Error {
  override readonly name = "FrameError";
}

/** Takes a frame's messages one by one; `start` and `end` bound the payload in the frame's own bytes. */
export interface FrameSink {
  message(kind: number, id: number, a: number, b: number, start: number, end: number): void;
}

/** A 53-bit number as the two halves `a` and `b`. */
export const lowHalf = (value: number): number => value % TWO_32;
export const highHalf = (value: number): number => Math.floor(value / TWO_32);
export const joined = (a: number, b: number): number => a + b * TWO_32;

/** The Buffer's own methods check their arguments, which costs more than the bytes. */
function putUint32(bytes: Buffer, value: number, at: number): void {
  bytes[at] = value;
  bytes[at + 1] = value >>> 8;
  bytes[at + 2] = value >>> 16;
  bytes[at + 3] = value >>> 24;
}

/** Of four bytes that are there: who calls it has seen to that. */
export function uint32At(bytes: Buffer, at: number): number {
  return (
    ((bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8) | ((bytes[at + 2] ?? 0) << 16)) +
    (bytes[at + 3] ?? 0) * 0x1_00_00_00
  );
}

/** Room for a value that is written in its place, and the most: larger ones are encoded first and copied. */
const WRITE_BYTES = 1_024;
const WRITE_BYTES_MAX = 65_536;

/** Memory of frames kept for the next ones, in bytes: what a busy peer that wakes seldom gives back at once, half of its window. */
const SPARE_BYTES_MAX = 2_097_152;

/** Collects the messages of one tick. */
export class FrameWriter {
  #bytes: Buffer = Buffer.alloc(0);
  #length = 0;
  /** Of the frame before: a good guess for this one. */
  #sizeHint = 1_024;
  readonly #spare: Buffer[] = [];
  #spareBytes = 0;

  /** What the frame stands in; its owner gives it back by reuse() when nobody reads it any more. */
  get memory(): Buffer {
    return this.#bytes;
  }

  /** For a later frame: memory taken anew for each costs a look through the whole heap every few hundred of them. */
  reuse(memory: Buffer): void {
    if (this.#spareBytes + memory.length > SPARE_BYTES_MAX) return;
    this.#spareBytes += memory.length;
    this.#spare.push(memory);
  }

  /** Bytes so far; 0: nothing to send. */
  get length(): number {
    return this.#length;
  }

  put(kind: number, id: number, a: number, b: number, payload?: Uint8Array): void {
    const payloadLength = payload ? payload.length : 0;
    const at = this.#reserve(MESSAGE_HEADER_BYTES + payloadLength);
    this.#head(at, kind, payloadLength, id, a, b);
    if (payload) this.#bytes.set(payload, at + MESSAGE_HEADER_BYTES);
  }

  #head(at: number, kind: number, payloadLength: number, id: number, a: number, b: number): void {
    const bytes = this.#bytes;
    bytes[at] = kind;
    putUint32(bytes, payloadLength, at + 1);
    putUint32(bytes, id, at + 5);
    putUint32(bytes, a, at + 9);
    putUint32(bytes, b, at + 13);
  }

  /**
   * The same with a value that is encoded in its place: no payload of its own, no copy.
   *
   * @returns the payload's size; negative: nothing was put, the value must be encoded by whoever has it.
   */
  write(kind: number, id: number, a: number, b: number, codec: Codec, value: unknown): number {
    const before = this.#length;
    for (let room = WRITE_BYTES; room <= WRITE_BYTES_MAX; room *= 8) {
      const at = this.#reserve(room);
      const start = at + MESSAGE_HEADER_BYTES;
      const end = codec.write(value, this.#bytes, start, at + room);
      this.#length = before;
      if (end >= 0) {
        this.#length = end;
        this.#head(at, kind, end - start, id, a, b);
        return end - start;
      }
      if (end !== CRAMPED) break;
    }
    return -1;
  }

  /** Takes back the message that was put last. */
  undo(payloadLength: number): void {
    this.#length -= MESSAGE_HEADER_BYTES + payloadLength;
    if (this.#length === FRAME_HEADER_BYTES) this.#length = 0;
  }

  /** The frame, and a fresh start. The bytes belong to whoever takes them: ZeroMQ reads them after send() returned. */
  take(sentAtMs: number): Buffer {
    const frame = this.#bytes.subarray(0, this.#length);
    frame[0] = MAGIC;
    frame[1] = FORMAT;
    frame.writeDoubleLE(sentAtMs, 2);
    this.#sizeHint = this.#length + (this.#length >>> 3) + MESSAGE_HEADER_BYTES + WRITE_BYTES;
    this.#bytes = Buffer.alloc(0);
    this.#length = 0;
    return frame;
  }

  #useSpare(): void {
    const spare = this.#spare.pop();
    if (!spare) return;
    this.#spareBytes -= spare.length;
    this.#bytes = spare;
  }

  /** @returns where to write. */
  #reserve(size: number): number {
    const at = this.#length === 0 ? FRAME_HEADER_BYTES : this.#length;
    const needed = at + size;
    if (needed > this.#bytes.length && at === FRAME_HEADER_BYTES) this.#useSpare();
    if (needed > this.#bytes.length) {
      const grown = Buffer.allocUnsafe(Math.max(needed, this.#bytes.length * 2, this.#sizeHint));
      grown.set(this.#bytes.subarray(0, this.#length));
      this.#bytes = grown;
    }
    this.#length = needed;
    return at;
  }
}

/**
 * Hands a frame's messages to `sink`, in order.
 *
 * @returns when it was sent, on the sender's clock (milliseconds).
 * @throws {FrameError} F1
 */
export function readFrame(frame: Buffer, sink: FrameSink): number {
  const sentAtMs = checkFrame(frame);
  walkFrame(frame, sink);
  return sentAtMs;
}

/** The messages of a frame that was checked. */
export function walkFrame(frame: Buffer, sink: FrameSink): void {
  let at = FRAME_HEADER_BYTES;
  while (at < frame.length) {
    const start = at + MESSAGE_HEADER_BYTES;
    const end = start + uint32At(frame, at + 1);
    sink.message(
      frame[at] ?? 0,
      uint32At(frame, at + 5),
      uint32At(frame, at + 9),
      uint32At(frame, at + 13),
      start,
      end,
    );
    at = end;
  }
}

/**
 * The whole structure first, so that a broken frame does nothing rather than half (F1).
 *
 * @returns when it was sent, on the sender's clock (milliseconds).
 */
export function checkFrame(frame: Buffer): number {
  if (frame.length < FRAME_HEADER_BYTES || frame[0] !== MAGIC) throw new FrameError("not a frame of this protocol");
  if (frame[1] !== FORMAT) throw new FrameError(`frame format ${frame[1]}; this process reads format ${FORMAT}`);
  const sentAtMs = frame.readDoubleLE(2);
  if (!Number.isFinite(sentAtMs)) throw new FrameError("a frame without a time");
  let at = FRAME_HEADER_BYTES;
  while (at < frame.length) {
    if (at + MESSAGE_HEADER_BYTES > frame.length) throw new FrameError(`a message is cut off at byte ${at}`);
    at += MESSAGE_HEADER_BYTES + uint32At(frame, at + 1);
    if (at > frame.length) throw new FrameError("a payload is cut off");
  }
  return sentAtMs;
}
