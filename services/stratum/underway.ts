// The lines that were taken and are not acknowledged yet: how many bytes they hold, and when there are none.

import type { WaitingLine } from "./connections.js";

/** A line costs more than its bytes while it waits. */
const LINE_OVERHEAD_BYTES = 128;

export class Underway {
  readonly #lines = new Set<WaitingLine>();
  #bytes = 0;
  #whenNone: (() => void)[] = [];

  get bytes(): number {
    return this.#bytes;
  }

  add(line: WaitingLine): void {
    this.#lines.add(line);
    this.#bytes += line.bytes.length + LINE_OVERHEAD_BYTES;
  }

  /** Safe twice: a line that is answered may still be given up. */
  done(line: WaitingLine): void {
    if (!this.#lines.delete(line)) return;
    this.#bytes -= line.bytes.length + LINE_OVERHEAD_BYTES;
    if (this.#lines.size > 0) return;
    for (const resolve of this.#whenNone.splice(0)) resolve();
  }

  /** Resolves when every line added so far is done. */
  none(): Promise<void> {
    if (this.#lines.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#whenNone.push(resolve));
  }
}
