// Streams: the push subscriptions that one link carries, at the receiving end.
//
//   subscribe --> subscribed --> snapshot (0, 0, ...) --> 1 --> 2 --> [hole 5] --> snapshot --> 5 --> ...
//
//   I1. In order and once: an old number is dropped, a missing one is announced before the message after it.
//   I2. A hole is always mended: either the sender knows of it (`hole`, it sends its snapshot by itself), or the receiver
//       asks (`resync`).
//   I3. A message is validated once, here. One that does not fit the contract is a hole of its own.

import type { PushSpec } from "../contract.js";
import type { PushSink, PushStream } from "../nexus/target.js";
import { type Codec, codecOf } from "../quick/codec.js";
import { KIND } from "./frames.js";
import type { Outbox } from "./outbox.js";
import { readPayload } from "./validate.js";

interface Stream {
  readonly push: string;
  readonly codec: Codec;
  readonly sink: PushSink;
  /** The number that comes next. */
  expected: number;
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
    this.#streams.set(id, { push, codec: codecOf(spec.message), sink, expected: 1 });
    this.#outbox.control(KIND.subscribe, id, 0, 0, Buffer.from(`${instanceId}\n${push}`));
    return {
      close: () => {
        if (this.#streams.delete(id)) this.#outbox.control(KIND.unsubscribe, id);
      },
    };
  }

  begun(id: number): void {
    this.#streams.get(id)?.sink.joined();
  }

  message(id: number, sequence: number, frame: Buffer, start: number, end: number): void {
    const stream = this.#streams.get(id);
    if (!stream) return; // Closed meanwhile.
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
