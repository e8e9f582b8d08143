// Inbox: the receiving half of a link: counts what was read and tells the sender, so that its window opens (outbox.ts, O1).

import { FRAME_COST, highHalf, KIND, lowHalf } from "./frames.js";
import type { Outbox } from "./outbox.js";

/** Told at least this often, in bytes: seldom enough to cost nothing, often enough never to starve a window of megabytes. */
const CREDIT_EVERY_BYTES = 65_536;

export class Inbox {
  readonly #outbox: Outbox;
  #every = 0;
  #read = 0;
  #told = 0;

  /** @param windowBytes What the peer may have under way to us. */
  constructor(outbox: Outbox, windowBytes: number) {
    this.#outbox = outbox;
    this.window = windowBytes;
  }

  set window(bytes: number) {
    this.#every = Math.min(CREDIT_EVERY_BYTES, bytes / 4);
  }

  /** A frame has been read and acted upon. */
  took(frameBytes: number): void {
    this.#read += frameBytes + FRAME_COST;
    if (this.#read - this.#told < this.#every) return;
    this.#told = this.#read;
    this.#outbox.control(KIND.credit, 0, lowHalf(this.#read), highHalf(this.#read));
  }
}
