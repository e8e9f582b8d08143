// Streams: the push subscriptions that one link carries, at the receiving end.
//
//   subscribe --> subscribed --> snapshot (0, 0, ...) --> 1 --> 2 --> [hole 5] --> snapshot --> 5 --> ...
//
//   I1. In order and once: an old number is dropped, a missing one is announced before the message after it.
//   I2. A hole is always mended: either the sender knows of it (`hole`, it sends its snapshot by itself), or the receiver
//       asks (`resync`).
//   I3. A message is validated once, here. One that does not fit the contract is a hole of its own.

import type { PushSpec } from "../contract.js";
import { failureFromWire } from "../nexus/failure.js";
import type { PushSink, PushStream } from "../nexus/target.js";
import { type Codec, codecOf } from "../quick/codec.js";
import { UNSURE } from "../quick/reader.js";
import { KIND, uint32At } from "./frames.js";
import type { Outbox } from "./outbox.js";
import { RUN_HEAD_BYTES } from "./run.js";
import { readPayload, readQuickly } from "./validate.js";

interface Stream {
  readonly push: string;
  readonly codec: Codec;
  readonly sink: PushSink;
  /** The number that comes next. */
  expected: number;
  open: boolean;
}

export class Streams {
  readonly #outbox: Outbox;
  readonly #malformed: (why: string) => void;
  readonly #streams = new Map<number, Stream>();
  #lastId = 0;

  /** @param malformed Told of messages that do not fit. */
  constructor(outbox: Outbox, malformed: (why: string) => void) {
    this.#outbox = outbox;
    this.#malformed = malformed;
  }

  open(instanceId: string, push: string, spec: PushSpec, sink: PushSink): PushStream {
    this.#lastId += 1;
    const id = this.#lastId;
    const stream: Stream = { push, codec: codecOf(spec.message), sink, expected: 1, open: true };
    this.#streams.set(id, stream);
    this.#outbox.control(KIND.subscribe, id, 0, 0, Buffer.from(`${instanceId}\n${push}`));
    return {
      close: () => {
        stream.open = false;
        if (this.#streams.delete(id)) this.#outbox.control(KIND.unsubscribe, id);
      },
    };
  }

  begun(id: number): void {
    this.#streams.get(id)?.sink.joined();
  }

  message(id: number, sequence: number, frame: Buffer, start: number, end: number): void {
    const stream = this.#streams.get(id);
    if (stream) this.#one(id, stream, sequence, frame, start, end); // Otherwise closed meanwhile.
  }

  /** The far side does not take the subscription. */
  refused(id: number, wire: string): void {
    const stream = this.#streams.get(id);
    if (!stream) return;
    stream.open = false;
    this.#streams.delete(id);
    stream.sink.refused(failureFromWire(wire));
  }

  /** Several messages under one head, the first with this number. */
  run(id: number, first: number, frame: Buffer, start: number, end: number): void {
    const stream = this.#streams.get(id);
    if (!stream) return;
    if (!isRun(frame, start, end)) {
      this.#malformed(`a run of push ${stream.push} is cut off`);
      return; // The next number shows the hole (I1).
    }
    let sequence = first;
    for (let at = start; at < end && stream.open; sequence += 1) {
      const from = at + RUN_HEAD_BYTES;
      at = from + uint32At(frame, at);
      const value = sequence === stream.expected ? readQuickly(stream.codec, frame, from, at) : UNSURE;
      if (value === UNSURE) this.#one(id, stream, sequence, frame, from, at);
      else {
        stream.expected = sequence + 1;
        stream.sink.message(value, sequence);
      }
    }
  }

  #one(id: number, stream: Stream, sequence: number, frame: Buffer, start: number, end: number): void {
    if (sequence !== 0 && !this.#inOrder(id, stream, sequence)) return;
    const message = this.#read(stream, frame, start, end);
    if (message) stream.sink.message(message.value, sequence);
    else if (sequence !== 0) stream.sink.gap(sequence, sequence + 1); // I3: the same bytes again would not fit either.
  }

  /** The sender has dropped what comes before `next`; its snapshot follows. */
  hole(id: number, next: number): void {
    const stream = this.#streams.get(id);
    if (!stream || next <= stream.expected) return;
    const { expected } = stream;
    stream.expected = next;
    stream.sink.gap(expected, next);
  }

  close(): void {
    for (const stream of this.#streams.values()) stream.open = false;
    this.#streams.clear();
  }

  #inOrder(id: number, stream: Stream, sequence: number): boolean {
    const { expected } = stream;
    if (sequence < expected) return false; // I1
    stream.expected = sequence + 1;
    if (sequence > expected) {
      stream.sink.gap(expected, sequence);
      this.#outbox.control(KIND.resync, id); // I2
    }
    return true;
  }

  #read(stream: Stream, frame: Buffer, start: number, end: number): { readonly value: unknown } | undefined {
    const read = readPayload(stream.codec, frame, start, end);
    if (read.ok) return read;
    this.#malformed(`a message of push ${stream.push} does not fit the contract: ${read.why}`);
    return undefined;
  }
}

/** Whole messages from start to end: looked at before any of them is handed out. */
function isRun(frame: Buffer, start: number, end: number): boolean {
  let at = start;
  while (at + RUN_HEAD_BYTES <= end) at += RUN_HEAD_BYTES + uint32At(frame, at);
  return at === end;
}
