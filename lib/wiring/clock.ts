// The clock that the wiring reads and sets its timers by: injected, so that a test owns the time.

export interface Clock {
  /** Monotonic milliseconds, the same scale as performance.now(). */
  nowMs(): number;
  /** Runs once after at least ms. Returns the way to stop it. */
  after(ms: number, run: () => void): () => void;
}

export const systemClock: Clock = {
  nowMs: () => performance.now(),
  after(ms, run) {
    const timer = setTimeout(run, ms);
    return () => clearTimeout(timer);
  },
};
