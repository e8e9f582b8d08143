// Push: one subscription of one peer, at the sending end.
//
//   push() --> room in the lane? --yes--> numbered, into the outbox
//                   |no
//                   v
//               holed: dropped, its number used up --room again--> filling: hole(next), snapshot in pages, what was pushed meanwhile --> and on
//
//   P1. A slow subscriber costs at most its lane, and as much again for what is pushed while it is given a snapshot; what does not fit is
//       dropped for it alone.
//   P2. The subscriber always learns of a hole, even if no push follows, and gets a snapshot that is newer than the hole.
//   P3. A snapshot of any size is finished: it leaves in pages as the subscriber reads them, and pushes wait behind it. Only when those
//       outgrow their bound are they dropped, and another snapshot follows the one that is being sent, never in its stead.

import type { Outgoing, Snapshot, Subscriber } from "../nexus/audience.js";
import type { PeerId } from "../nexus/nexus.js";
import { highHalf, KIND, lowHalf } from "./frames.js";
import type { Lane, Outbox } from "./outbox.js";
import { RUN_HEAD_BYTES } from "./run.js";

/** Of a snapshot, encoded in one turn of the event loop, and waiting at most: a few milliseconds' work, enough to keep a fast link busy. */
const PAGE_BYTES = 262_144;
/** What a small message costs beside its bytes. */
const MESSAGE_COST = 32;

export interface PushParts {
  readonly outbox: Outbox;
  /** Shared by all subscriptions of the link. */
  readonly lane: Lane;
  /** The same for what is pushed while a snapshot is sent. */
  readonly behind: Lane;
  readonly bytesMax: number;
  /** The peer understands several messages under one head. */
  readonly runs: boolean;
}

/** A snapshot on its way. */
interface Filling {
  readonly snapshot: Snapshot;
  at: number;
  /** Pushed since it was taken; undefined: too much, so that another snapshot is due. */
  behind: Uint8Array[] | undefined;
  /** The number of the first of them. */
  readonly first: number;
}

export class RemoteSubscriber implements Subscriber {
  #next = 1;
  #holed = false;
  #take: (() => Snapshot) | undefined;
  #filling: Filling | undefined;
  #scheduled = false;
  #closed = false;

  /** @param id The subscription's, on its link. */
  constructor(
    readonly peer: PeerId,
    readonly id: number,
    private readonly parts: PushParts,
  ) {}

  push(outgoing: Outgoing): boolean {
    const sequence = this.#next;
    this.#next += 1;
    if (this.#filling) return this.#keep(this.#filling, this.#encoded(outgoing, sequence));
    if (this.#holed) return false;
    if (this.#pushQuickly(outgoing, sequence)) return true;
    const { outbox, lane, bytesMax } = this.parts;
    const bytes = this.#encoded(outgoing, sequence);
    const taken =
      bytes.length <= bytesMax && outbox.offer(lane, KIND.push, this.id, lowHalf(sequence), highHalf(sequence), bytes);
    if (taken) return true;
    this.#holed = true; // P1
    this.mend(); // At once when it was only this message that was too large.
    return false;
  }

  /** @throws {TypeError} to who pushes: it cannot be sent, and its number is not used. */
  #encoded(outgoing: Outgoing, sequence: number): Uint8Array {
    try {
      return outgoing.bytes;
    } catch (error) {
      this.#next = sequence;
      throw error;
    }
  }

  /** Encoded for all in one run, or for this one in its frame. False: not this way, and nothing has happened. */
  #pushQuickly(outgoing: Outgoing, sequence: number): boolean {
    const { outbox, bytesMax, runs } = this.parts;
    if (runs && outgoing.inRun())
      return outgoing.end - outgoing.start <= bytesMax + RUN_HEAD_BYTES && outbox.follow(this.id, sequence, outgoing);
    if (outgoing.run) return false;
    const { codec, message } = outgoing;
    return outbox.write(KIND.push, this.id, lowHalf(sequence), highHalf(sequence), codec, message, bytesMax);
  }

  /** Behind the snapshot that is being sent. */
  #keep(filling: Filling, bytes: Uint8Array): boolean {
    const { behind, bytesMax } = this.parts;
    if (!filling.behind) return false;
    if (bytes.length > bytesMax || behind.bytes + bytes.length + MESSAGE_COST > behind.bytesMax) {
      this.#drop(filling);
      return false;
    }
    behind.bytes += bytes.length + MESSAGE_COST;
    filling.behind.push(bytes);
    return true;
  }

  #drop(filling: Filling): void {
    for (const { length } of filling.behind ?? []) this.parts.behind.bytes -= length + MESSAGE_COST;
    filling.behind = undefined;
  }

  snapshot(take: () => Snapshot): void {
    this.#take = take;
    this.resync();
  }

  /** The lane has room again (P2). */
  mend(): void {
    if (this.#filling) this.#fill(this.#filling);
    else if (this.#holed && this.parts.lane.roomy && !this.#closed) this.#begin();
  }

  /** The receiver saw a hole that we do not know of. */
  resync(): void {
    if (this.#filling)
      this.#drop(this.#filling); // P3: afterwards, another one.
    else this.#holed = true;
    this.mend();
  }

  /** Nothing is sent any more. */
  close(): void {
    this.#closed = true;
    if (this.#filling) this.#drop(this.#filling);
    this.#filling = undefined;
  }

  #begin(): void {
    const { outbox, lane } = this.parts;
    this.#holed = false;
    outbox.enqueue(lane, KIND.hole, this.id, lowHalf(this.#next), highHalf(this.#next), NOTHING);
    if (!this.#take) return;
    const snapshot = this.#take();
    if (snapshot.length === 0) return;
    this.#filling = { snapshot, at: 0, behind: [], first: this.#next };
    this.#fill(this.#filling);
  }

  /** One page, or as much of it as there is room for; the next one at the next turn, or when there is room (mend). */
  #fill(filling: Filling): void {
    const { lane } = this.parts;
    if (this.#scheduled) return;
    let page = 0;
    while (filling.at < filling.snapshot.length) {
      if (this.#filling !== filling || lane.bytes >= PAGE_BYTES) return;
      if (page >= PAGE_BYTES) {
        this.#soon(filling);
        return;
      }
      page += this.#send(filling.snapshot, filling.at) + MESSAGE_COST;
      filling.at += 1;
    }
    this.#filled(filling);
  }

  #soon(filling: Filling): void {
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      if (this.#filling === filling) this.#fill(filling);
    });
  }

  /** @returns its size. */
  #send(snapshot: Snapshot, index: number): number {
    const { outbox, lane, bytesMax } = this.parts;
    const before = outbox.written;
    if (outbox.write(KIND.push, this.id, 0, 0, snapshot.codec, snapshot.at(index), bytesMax))
      return outbox.written - before;
    const bytes = snapshot.bytes(index, bytesMax);
    if (bytes) outbox.enqueue(lane, KIND.push, this.id, 0, 0, bytes);
    return bytes?.length ?? 0;
  }

  #filled(filling: Filling): void {
    const { outbox, lane } = this.parts;
    const { behind, first } = filling;
    this.#drop(filling);
    this.#filling = undefined;
    if (!behind) {
      this.#holed = true; // P3
      setImmediate(() => this.mend());
      return;
    }
    // Bounded by their own lane, and what is pushed from now on takes its place behind them.
    for (const [i, bytes] of behind.entries())
      outbox.enqueue(lane, KIND.push, this.id, lowHalf(first + i), highHalf(first + i), bytes);
  }
}

const NOTHING = new Uint8Array(0);
