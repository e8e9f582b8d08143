// What became of blocks, told to the reporter until it has heard it.
//
//   status changes --record--> a short queue, in order --recordBlock--> any reporter
//
//   O1. In order and at least once: the first `accepted` closes a round, so it must not be overtaken.
//   O2. While no reporter answers, the queue waits; at RECORDS_MAX the oldest is dropped, and said so.

import { backoffMs, pause } from "./backoff.js";
import type { Report } from "./found.js";
import { messageOf } from "./reason.js";

/** Hours of a busy pool without any reporter. */
const RECORDS_MAX = 1_000;
const RETRY_FIRST_MS = 200;
const RETRY_MAX_MS = 10_000;

export interface RecordsDeps {
  send(record: Report): Promise<unknown>;
  onFailed(record: Report, reason: string): void;
  onDropped(record: Report): void;
}

export class Records {
  readonly #queue: Report[] = [];
  readonly #closing = new AbortController();
  #sending: Promise<void> | undefined;

  constructor(private readonly deps: RecordsDeps) {}

  record(record: Report): void {
    this.#queue.push(record);
    const dropped = this.#queue.length > RECORDS_MAX ? this.#queue.shift() : undefined;
    if (dropped) this.deps.onDropped(dropped); // O2
    this.#sending ??= this.#send();
  }

  /** Resolves when everything was told, or after timeoutMs. */
  async drain(timeoutMs: number): Promise<void> {
    const timer = setTimeout(() => this.close(), timeoutMs);
    await this.#sending;
    clearTimeout(timer);
  }

  /** What was not told yet is lost here; the next jobmanager to lead asks the chain again. */
  close(): void {
    this.#closing.abort();
  }

  async #send(): Promise<void> {
    for (let attempt = 0; !this.#closing.signal.aborted; ) {
      const [record] = this.#queue;
      if (!record) {
        this.#sending = undefined; // In the same tick as the look at the queue, so that no record falls in between.
        return;
      }
      try {
        await this.deps.send(record);
        attempt = 0;
        if (this.#queue[0] === record) this.#queue.shift();
      } catch (error) {
        this.deps.onFailed(record, messageOf(error));
        await pause(backoffMs(attempt++, RETRY_FIRST_MS, RETRY_MAX_MS), this.#closing.signal);
      }
    }
  }
}
