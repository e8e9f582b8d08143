// Waiting for what processes do: whoever waits looks again after each change.

export class Waiting {
  readonly #waiting = new Set<() => void>();

  /** Something happened: look again. */
  changed(): void {
    for (const resolve of this.#waiting) resolve();
    this.#waiting.clear();
  }

  /** @param check Throws when there is nothing to wait for any more. */
  async until(done: () => boolean, check: () => void): Promise<void> {
    while (!done()) {
      check();
      await new Promise<void>((resolve) => this.#waiting.add(resolve));
    }
  }

  /** Waits for the time as well: looked at again when it has passed. */
  async atLeast(ms: number, wait: (passed: () => boolean) => Promise<void>): Promise<void> {
    const untilMs = performance.now() + ms;
    const timer = setTimeout(() => this.changed(), ms + 1); // A timer may be a fraction of a millisecond early.
    try {
      await wait(() => performance.now() >= untilMs);
    } finally {
      clearTimeout(timer);
    }
  }
}
