// Audience: the subscribers of one push of an instance that is hosted here.
//
//   push()   --> encoded once (rpc/run.ts) --> every Subscriber (local.ts, rpc/push.ts)
//   pushTo() --> one peer's, encoded in its own frame
//
//   U1. A push is encoded once, however many subscribers it has, and not at all if none of them is in another process.

import type { PushSpec } from "../contract.js";
import { type Codec, codecOf } from "../quick/codec.js";
import { encodePayload } from "../rpc/payload.js";
import { RUN_HEAD_BYTES, Run } from "../rpc/run.js";
import type { PeerId } from "./nexus.js";

/** A push on its way to its subscribers; it is encoded when the first one needs that (U1). */
export class Outgoing {
  /** Where it stands in the run. */
  start = -1;
  end = -1;
  #bytes: Uint8Array | undefined;

  /** @param run Where a message for many is encoded; undefined: it is for one. */
  constructor(
    readonly message: unknown,
    readonly codec: Codec,
    readonly run: Run | undefined,
  ) {}

  /** Whether it stands in a run; the first to ask makes it so. */
  inRun(): boolean {
    if (this.start === -1 && this.run) {
      const start = this.run.add(this.codec, this.message);
      this.start = start === -1 ? NOWHERE : start;
      this.end = this.run.length;
    }
    return this.start >= 0;
  }

  /** On its own; nobody overwrites them. */
  get bytes(): Uint8Array {
    this.#bytes ??=
      this.run && this.start >= 0
        ? Uint8Array.from(this.run.bytes.subarray(this.start + RUN_HEAD_BYTES, this.end))
        : encodePayload(this.message);
    return this.#bytes;
  }
}

const NOWHERE = -2;

/** What a subscriber gets first, as it was when it was taken; read piece by piece, each encoded when it is its turn. */
export class Snapshot {
  #reported = false;

  /** @param failed Told once, of the first message that cannot be sent. */
  constructor(
    private readonly messages: readonly unknown[],
    readonly codec: Codec,
    private readonly failed: (thrown: unknown) => void,
  ) {}

  get length(): number {
    return this.messages.length;
  }

  at(index: number): unknown {
    return this.messages[index];
  }

  /** Undefined: it cannot be sent, which has been reported. */
  bytes(index: number, bytesMax: number): Uint8Array | undefined {
    try {
      const bytes = encodePayload(this.messages[index]);
      if (bytes.length <= bytesMax) return bytes;
      this.skipped(new RangeError(`message ${index} has ${bytes.length} bytes, the limit is ${bytesMax}`));
    } catch (error) {
      this.skipped(error);
    }
    return undefined;
  }

  /** The receiver cannot take one of them. */
  skipped(thrown: unknown): void {
    if (!this.#reported) this.failed(thrown);
    this.#reported = true;
  }
}

/** One subscription of one peer, at the sending end. */
export interface Subscriber {
  readonly peer: PeerId;
  /** Next in the stream. False: its queue is full; the message is dropped and its number is not used again. */
  push(outgoing: Outgoing): boolean;
  /** Before everything pushed after this. Never dropped: kept back while the queue is full. */
  snapshot(take: () => Snapshot): void;
}

export class Audience {
  readonly #codec: Codec;
  readonly #peers = new Map<PeerId, Set<Subscriber>>();
  /** All of them; another list after every change, so that a push may change it while it goes through it. */
  #all: readonly Subscriber[] = [];
  #run = new Run();

  constructor(spec: PushSpec) {
    this.#codec = codecOf(spec.message);
  }

  get peers(): readonly PeerId[] {
    return [...this.#peers.keys()];
  }

  get size(): number {
    return this.#all.length;
  }

  /** @returns how many took it. */
  push(message: unknown): number {
    return this.#send(this.#all, message);
  }

  /** @returns undefined: the peer has not subscribed. True: all its subscriptions took it. */
  pushTo(peer: PeerId, message: unknown): { readonly taken: number; readonly of: number } | undefined {
    const subscribers = this.#peers.get(peer);
    return subscribers && { taken: this.#send([...subscribers], message), of: subscribers.size };
  }

  /** @param failed Told once, of the first message that cannot be sent. */
  snapshot(messages: readonly unknown[], failed: (thrown: unknown) => void): Snapshot {
    return new Snapshot(messages, this.#codec, failed);
  }

  add(subscriber: Subscriber): void {
    const subscribers = this.#peers.get(subscriber.peer) ?? new Set();
    this.#peers.set(subscriber.peer, subscribers.add(subscriber));
    this.#list();
  }

  remove(subscriber: Subscriber): void {
    const subscribers = this.#peers.get(subscriber.peer);
    subscribers?.delete(subscriber);
    if (subscribers?.size === 0) this.#peers.delete(subscriber.peer);
    this.#list();
  }

  clear(): void {
    this.#peers.clear();
    this.#list();
  }

  #list(): void {
    this.#all = [...this.#peers.values()].flatMap((subscribers) => [...subscribers]);
  }

  #send(subscribers: readonly Subscriber[], message: unknown): number {
    if (subscribers.length === 0) return 0;
    if (this.#run.full) this.#run = new Run();
    const run = this.#run;
    run.rewind();
    const outgoing = new Outgoing(message, this.#codec, subscribers.length > 1 ? run : undefined);
    let taken = 0;
    run.followers += 1; // Ourselves: what a subscriber's end leads to may push, too, and must not begin the run anew.
    try {
      for (const subscriber of subscribers) if (subscriber.push(outgoing)) taken += 1;
    } finally {
      run.followers -= 1;
    }
    return taken;
  }
}
