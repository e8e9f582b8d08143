// The clock that the wiring reads and sets its timers by: injected, so that a test owns the time.

import { afterMs } from "../duration.js";

export interface Clock {
  /** Monotonic milliseconds, the same scale as performance.now(). */
  nowMs(): number;
  /** Runs once after at least ms, however long; never after Infinity. Returns the way to stop it. */
  after(ms: number, run: () => void): () => void;
}

export const systemClock: Clock = {
  nowMs: () => performance.now(),
  after: afterMs,
};
