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

/** `id a b payload` of each kind. c -> s: from who connected (client.ts) to who listens (server.ts). */
export const KIND = {
  /** c -> s, first. a: protocol version, b: window in bytes. Payload: the caller's PeerId. */
  hello: 1,
  /** s -> c, the answer. a: protocol version, b: window in bytes. Payload: the listener's PeerId. */
  welcome: 2,
  /** Both. The link ends. Payload: why. */
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
} as const;

/** Spoken between processes; a peer with another one is refused at `hello`. */
export const PROTOCOL_VERSION = 1;

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

/** Collects the messages of one tick. */
export class FrameWriter {
  #bytes: Buffer = Buffer.alloc(0);
  #length = 0;
  /** Of the frame before: a good guess for this one. */
  #sizeHint = 1_024;

  /** Bytes so far; 0: nothing to send. */
  get length(): number {
    return this.#length;
  }

  put(kind: number, id: number, a: number, b: number, payload?: Uint8Array): void {
    const payloadLength = payload ? payload.length : 0;
    const at = this.#reserve(MESSAGE_HEADER_BYTES + payloadLength);
    const bytes = this.#bytes;
    bytes[at] = kind;
    bytes.writeUInt32LE(payloadLength, at + 1);
    bytes.writeUInt32LE(id, at + 5);
    bytes.writeUInt32LE(a, at + 9);
    bytes.writeUInt32LE(b, at + 13);
    if (payload) bytes.set(payload, at + MESSAGE_HEADER_BYTES);
  }

  /** The frame, and a fresh start. The bytes belong to whoever takes them: ZeroMQ reads them after send() returned. */
  take(sentAtMs: number): Buffer {
    const frame = this.#bytes.subarray(0, this.#length);
    frame[0] = MAGIC;
    frame[1] = FORMAT;
    frame.writeDoubleLE(sentAtMs, 2);
    this.#sizeHint = Math.max(256, this.#length);
    this.#bytes = Buffer.alloc(0);
    this.#length = 0;
    return frame;
  }

  /** @returns where to write. */
  #reserve(size: number): number {
    const at = this.#length === 0 ? FRAME_HEADER_BYTES : this.#length;
    const needed = at + size;
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
    const end = start + frame.readUInt32LE(at + 1);
    sink.message(
      frame[at] ?? 0,
      frame.readUInt32LE(at + 5),
      frame.readUInt32LE(at + 9),
      frame.readUInt32LE(at + 13),
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
    at += MESSAGE_HEADER_BYTES + frame.readUInt32LE(at + 1);
    if (at > frame.length) throw new FrameError("a payload is cut off");
  }
  return sentAtMs;
}
