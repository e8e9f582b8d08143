// What a handler is told about the call that it serves.

import type { CallContext, PeerId } from "./nexus.js";

/** A CallContext whose signal exists only if the handler looks at it: an AbortController costs more than a short call. */
export class Context implements CallContext {
  #controller: AbortController | undefined;
  #aborted: unknown;

  constructor(
    readonly caller: PeerId,
    readonly deadlineMs: number,
  ) {}

  get signal(): AbortSignal {
    if (!this.#controller) {
      this.#controller = new AbortController();
      if (this.#aborted !== undefined) this.#controller.abort(this.#aborted);
    }
    return this.#controller.signal;
  }

  /** The caller gave up or is gone. */
  abort(reason: Error): void {
    if (this.#aborted !== undefined) return;
    this.#aborted = reason;
    this.#controller?.abort(reason);
  }
}
