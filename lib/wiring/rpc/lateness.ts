// Lateness: how long a frame lay unread, although the two ends share no clock.
//
//   arrival - sentAt = (difference of the clocks) + (way) + (time unread)
//
// The smallest difference seen lately is the one of a frame that lay hardly at all; what a frame has more than that is its
// time unread. So a request that waited behind a blocked event loop loses that time from its budget, and is not run
// when its caller has given up long ago.

/** The smallest difference is forgotten after one to two of these, so that clocks which drift apart are followed. */
const WINDOW_MS = 30_000;

export class Lateness {
  #previous = Number.POSITIVE_INFINITY;
  #current = Number.POSITIVE_INFINITY;
  #windowEndsMs = 0;

  /** @returns milliseconds, never negative. */
  of(sentAtMs: number, nowMs: number): number {
    if (nowMs >= this.#windowEndsMs) {
      this.#previous = this.#current;
      this.#current = Number.POSITIVE_INFINITY;
      this.#windowEndsMs = nowMs + WINDOW_MS;
    }
    const difference = nowMs - sentAtMs;
    if (difference < this.#current) this.#current = difference;
    return difference - Math.min(this.#previous, this.#current);
  }
}
