// Push: one subscription of one peer, at the sending end.
//
//   push() --> room in the lane? --yes--> numbered, into the outbox
//                   |no
//                   v
//               holed: dropped, its number used up --room again--> hole(next), snapshot, and on
//
//   P1. A slow subscriber costs at most its lane; what does not fit is dropped for it alone.
//   P2. The subscriber always learns of a hole, even if no push follows, and gets a snapshot that is newer than the hole.

import type { Outgoing, Subscriber } from "../nexus/audience.js";
import type { PeerId } from "../nexus/nexus.js";
import { highHalf, KIND, lowHalf } from "./frames.js";
import type { Lane, Outbox } from "./outbox.js";
import { RUN_HEAD_BYTES } from "./run.js";

export class RemoteSubscriber implements Subscriber {
  #next = 1;
  #holed = false;
  #snapshot: (() => readonly Outgoing[]) | undefined;

  /**
   * @param id The subscription's, on its link.
   * @param lane Shared by all subscriptions of the link.
   * @param runs The peer understands several messages under one head.
   */
  constructor(
    readonly peer: PeerId,
    readonly id: number,
    readonly outbox: Outbox,
    readonly lane: Lane,
    readonly bytesMax: number,
    readonly runs: boolean,
  ) {}

  push(outgoing: Outgoing): boolean {
    const sequence = this.#next;
    this.#next += 1;
    if (this.#holed) return false;
    if (this.#pushQuickly(outgoing, sequence)) return true;
    const bytes = this.#encoded(outgoing, sequence);
    const taken =
      bytes.length <= this.bytesMax &&
      this.outbox.offer(this.lane, KIND.push, this.id, lowHalf(sequence), highHalf(sequence), bytes);
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
    const { outbox, id, bytesMax } = this;
    if (this.runs && outgoing.inRun())
      return outgoing.end - outgoing.start <= bytesMax + RUN_HEAD_BYTES && outbox.follow(id, sequence, outgoing);
    if (outgoing.run) return false;
    const { codec, message } = outgoing;
    return outbox.write(KIND.push, id, lowHalf(sequence), highHalf(sequence), codec, message, bytesMax);
  }

  snapshot(take: () => readonly Outgoing[]): void {
    this.#snapshot = take;
    this.#holed = true;
    this.mend();
  }

  /** The lane has room again (P2). */
  mend(): void {
    if (!this.#holed || !this.lane.roomy) return;
    this.#holed = false;
    this.outbox.enqueue(this.lane, KIND.hole, this.id, lowHalf(this.#next), highHalf(this.#next), NOTHING);
    for (const { bytes } of this.#snapshot?.() ?? []) {
      if (bytes.length <= this.bytesMax) this.outbox.enqueue(this.lane, KIND.push, this.id, 0, 0, bytes);
    }
  }

  /** The receiver saw a hole that we do not know of. */
  resync(): void {
    this.#holed = true;
    this.mend();
  }
}

const NOTHING = new Uint8Array(0);
