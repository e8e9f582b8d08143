// Outbox: what waits to be said to one peer, and the rule that it never grows without bound.
//
//   put --> fits the window? --yes--> frame of this tick --flush--> socket           peer --credit--> window opens
//              |no                       ^                                                              |
//              v                         '---------------- in order -----------------------------------'
//           waiting (each lane bounded in bytes; a full lane refuses)
//
//   O1. At most a window of bytes is under way that the peer has not read: neither ZeroMQ's queues nor the kernel's grow
//       with a slow peer. One message larger than the window may go when nearly nothing is under way.
//   O2. Messages of lanes leave in the order in which they were put. Control messages are few and small, and never wait.
//   O3. What waits is not encoded into a frame, so it can still be taken back: a request that waits was not sent.
//   O4. A frame's memory is used again for the same peer once that has told to have read the frame. A peer that lies about it
//       spoils its own frames only.

import type { Codec } from "../quick/codec.js";
import { FRAME_COST, FrameWriter, highHalf, joined, KIND, lowHalf, MESSAGE_HEADER_BYTES } from "./frames.js";
import type { Run } from "./run.js";

/** A kind of waiting messages with a bound of its own. */
export class Lane {
  bytes = 0;

  constructor(readonly bytesMax: number) {}

  /** Half of it is free. */
  get roomy(): boolean {
    return this.bytes * 2 <= this.bytesMax;
  }
}

/** A message that waits. */
export interface Waiting {
  readonly lane: Lane;
  readonly size: number;
  /** Its turn: put it into the frame. */
  write(frame: FrameWriter): void;
}

/** A message in a run: from where to where. */
export interface InRun {
  readonly run: Run | undefined;
  readonly start: number;
  readonly end: number;
}

/** A part of a run that belongs into the frame, at its end, and is not copied yet: it may still grow. */
interface Tail {
  readonly run: Run;
  readonly id: number;
  readonly sequence: number;
  readonly start: number;
  end: number;
}

/** A frame's memory, in use until the peer has read so many bytes. */
interface UnderWay {
  readonly memory: Buffer;
  readonly until: number;
}

/** A frame that ends with a run may grow to so many times the usual: nobody waits for an answer to its beginning. */
const RUN_FRAMES = 4;
/** Smaller ones are cut from memory that Node shares among buffers. */
const REUSE_BYTES_MIN = 4_096;

/** Ends a tick for every outbox that was written to. */
export class Flusher {
  #dirty: Outbox[] = [];
  #scheduled = false;

  add(outbox: Outbox): void {
    this.#dirty.push(outbox);
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => this.#flush());
  }

  #flush(): void {
    this.#scheduled = false;
    const dirty = this.#dirty;
    this.#dirty = [];
    for (const outbox of dirty) outbox.flush();
  }
}

export interface OutboxParts {
  readonly flusher: Flusher;
  readonly frameBytes: number;
  nowMs(): number;
  /** Gives a frame to the socket. */
  transmit(frame: Buffer): void;
  /** The window has opened and some of what waited has gone. */
  roomier?(): void;
}

export class Outbox {
  readonly #parts: OutboxParts;
  readonly #frame = new FrameWriter();
  readonly #waiting = new Set<Waiting>();
  #whenEmpty: (() => void) | undefined;
  #tail: Tail | undefined;
  /** Frames that the peer may not have read: as many as fit the window. */
  readonly #underWay: UnderWay[] = [];
  #dirty = false;
  #closed = false;
  #sent = 0;
  #read = 0;
  /** The peer's, told in its hello or welcome. */
  #window: number;

  constructor(parts: OutboxParts, windowBytes: number) {
    this.#parts = parts;
    this.#window = windowBytes;
  }

  /** Messages that wait. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** Bytes put into frames so far. */
  get written(): number {
    return this.#sent + this.#frame.length;
  }

  /** True: a message of `size` payload bytes that is put now leaves with this tick. */
  fits(size: number): boolean {
    return this.#waiting.size === 0 && this.#fitsWindow(size + MESSAGE_HEADER_BYTES);
  }

  /** A message that leaves with this tick: ask fits() before. */
  put(kind: number, id: number, a: number, b: number, payload?: Uint8Array): void {
    if (this.#closed) return;
    this.#seal();
    this.#frame.put(kind, id, a, b, payload);
    this.#written();
  }

  /**
   * A value that leaves with this tick, encoded in its place.
   *
   * @returns false: it does not fit the window, is larger than bytesMax, or is not for the quick way: encode it and offer it.
   */
  write(kind: number, id: number, a: number, b: number, codec: Codec, value: unknown, bytesMax: number): boolean {
    if (this.#closed || this.#waiting.size > 0) return false;
    this.#seal();
    const underWay = this.#sent - this.#read + this.#frame.length;
    const size = this.#frame.write(kind, id, a, b, codec, value);
    if (size < 0) return false;
    if (size > bytesMax || !this.#fitsBeside(underWay, size + MESSAGE_HEADER_BYTES)) {
      this.#frame.undo(size);
      return false;
    }
    this.#written();
    return true;
  }

  /**
   * The next message of a push, which leaves with this tick as part of a run.
   *
   * @returns false: it does not fit the window.
   */
  follow(id: number, sequence: number, { run, start, end }: InRun): boolean {
    if (this.#closed || this.#waiting.size > 0 || !run) return false;
    const tail = this.#tail;
    if (tail && tail.run === run && tail.id === id && tail.end === start) {
      if (!this.#fitsWindow(end - start)) return false;
      tail.end = end;
    } else {
      this.#seal();
      if (!this.#fitsWindow(end - start + MESSAGE_HEADER_BYTES)) return false;
      run.followers += 1;
      this.#tail = { run, id, sequence, start, end };
    }
    this.#written();
    return true;
  }

  /** Copies the tail into the frame: something else comes behind it, or the frame leaves. */
  #seal(): void {
    const tail = this.#tail;
    if (!tail) return;
    const { run, id, sequence, start, end } = tail;
    this.#tail = undefined;
    run.followers -= 1;
    this.#frame.put(KIND.pushes, id, lowHalf(sequence), highHalf(sequence), run.bytes.subarray(start, end));
  }

  /** Bytes of this tick so far. */
  #ready(): number {
    const tail = this.#tail;
    return this.#frame.length + (tail ? MESSAGE_HEADER_BYTES + tail.end - tail.start : 0);
  }

  /** A message that neither waits nor counts (O2). */
  control(kind: number, id = 0, a = 0, b = 0, payload?: Uint8Array): void {
    this.put(kind, id, a, b, payload);
  }

  /** Now or, in its turn, later. False: the lane is full, and the message is not taken. */
  offer(lane: Lane, kind: number, id: number, a: number, b: number, payload: Uint8Array): boolean {
    if (this.fits(payload.length)) {
      this.put(kind, id, a, b, payload);
      return true;
    }
    if (lane.bytes + payload.length > lane.bytesMax) return false;
    this.enqueue(lane, kind, id, a, b, payload);
    return true;
  }

  /** The same without a bound: for what its sender has bounded itself. */
  enqueue(lane: Lane, kind: number, id: number, a: number, b: number, payload: Uint8Array): void {
    if (this.fits(payload.length)) this.put(kind, id, a, b, payload);
    else this.wait({ lane, size: payload.length, write: (frame) => frame.put(kind, id, a, b, payload) });
  }

  wait(waiting: Waiting): void {
    if (this.#closed) return;
    waiting.lane.bytes += waiting.size;
    this.#waiting.add(waiting);
  }

  /** Takes back what still waits (O3). */
  withdraw(waiting: Waiting): void {
    if (this.#waiting.delete(waiting)) waiting.lane.bytes -= waiting.size;
  }

  set window(bytes: number) {
    this.#window = bytes;
    this.#pump();
  }

  /** The peer has read this many bytes since the link began. */
  credit(a: number, b: number): void {
    this.#read = Math.min(this.#sent, Math.max(this.#read, joined(a, b)));
    while (this.#underWay[0] && this.#underWay[0].until <= this.#read) {
      const { memory } = this.#underWay.shift() as UnderWay;
      this.#frame.reuse(memory); // O4
    }
    this.#pump();
  }

  flush(): void {
    this.#dirty = false;
    if (this.#ready() > 0) this.#transmit();
  }

  /** Resolves when nothing waits any more. */
  whenEmpty(): Promise<void> {
    if (this.#waiting.size === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#whenEmpty = resolve;
    });
  }

  /** Forgets what waits; puts nothing out any more. */
  close(): void {
    this.#closed = true;
    if (this.#tail) this.#tail.run.followers -= 1;
    this.#tail = undefined;
    this.#underWay.length = 0;
    for (const waiting of this.#waiting) this.withdraw(waiting);
    this.#whenEmpty?.();
  }

  #fitsWindow(size: number): boolean {
    return this.#fitsBeside(this.#sent - this.#read + this.#ready(), size);
  }

  #fitsBeside(underWay: number, size: number): boolean {
    // A peer tells what it has read once that is a quarter of the window (inbox.ts): less than that may be nothing at all.
    return underWay + size <= this.#window || underWay * 4 < this.#window;
  }

  #written(): void {
    const { frameBytes } = this.#parts;
    if (this.#frame.length >= frameBytes || this.#ready() >= RUN_FRAMES * frameBytes) this.#transmit();
    else if (!this.#dirty) {
      this.#dirty = true;
      this.#parts.flusher.add(this);
    }
  }

  #transmit(): void {
    this.#seal();
    const { memory } = this.#frame;
    const frame = this.#frame.take(this.#parts.nowMs());
    this.#sent += frame.length + FRAME_COST;
    if (memory.length >= REUSE_BYTES_MIN) this.#underWay.push({ memory, until: this.#sent });
    this.#parts.transmit(frame);
  }

  #pump(): void {
    if (this.#waiting.size === 0) return;
    for (const waiting of this.#waiting) {
      if (!this.#fitsWindow(waiting.size + MESSAGE_HEADER_BYTES)) break;
      this.withdraw(waiting);
      this.#seal();
      waiting.write(this.#frame);
      if (this.#frame.length > 0) this.#written();
    }
    if (this.#waiting.size === 0) this.#whenEmpty?.();
    this.#parts.roomier?.();
  }
}
