// Batch: calls that arrive while one script call is under way go together into the next one. Pure.
//
//   recordShares x many --> waiting (bounded) --> one call of `send` at a time
//
//   B1. One call's shares stay together and in order; its outcomes come back as if it had been alone.
//   B2. When a batch fails, every call in it fails with the same error: all of them may have been recorded.
//   B3. What does not fit is refused before anything was done with it (OVERLOADED).

import { SHARES_MAX } from "../../lib/contracts/index.js";
import { WiringError } from "../../lib/wiring/index.js";

/** Put together for one script call, during which Redis does nothing else (10 to 30 us a share). A larger call goes alone. */
const BATCH_MAX = 1_024;
/** Waiting: sixteen of the largest calls, some seconds of work for Redis, under 50 MB here. */
const WAITING_MAX = 16 * SHARES_MAX;

interface Waiting<Item, Result> {
  readonly items: readonly Item[];
  resolve(results: Result[]): void;
  reject(error: unknown): void;
}

export class Batcher<Item, Result> {
  #waiting: Waiting<Item, Result>[] = [];
  #waitingItems = 0;
  #sending = false;

  /** @param send Resolves with a result for each item, in order. */
  constructor(private readonly send: (items: readonly Item[]) => Promise<readonly Result[]>) {}

  /** Items that wait for the batch under way. */
  get waiting(): number {
    return this.#waitingItems;
  }

  /** @throws {WiringError} OVERLOADED when too much waits already. @throws what `send` threw. */
  add(items: readonly Item[]): Promise<Result[]> {
    if (this.#waitingItems + items.length > WAITING_MAX) {
      const why = `${this.#waitingItems} shares wait for Redis already (limit ${WAITING_MAX}); it is slow`;
      return Promise.reject(new WiringError("OVERLOADED", why));
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({ items, resolve, reject });
      this.#waitingItems += items.length;
      if (!this.#sending) void this.#run();
    });
  }

  async #run(): Promise<void> {
    this.#sending = true;
    for (let batch = this.#take(); batch.length > 0; batch = this.#take()) await this.#one(batch);
    this.#sending = false;
  }

  async #one(batch: readonly Waiting<Item, Result>[]): Promise<void> {
    try {
      const results = await this.send(batch.flatMap(({ items }) => items));
      let at = 0;
      for (const { items, resolve } of batch) {
        resolve(results.slice(at, at + items.length));
        at += items.length;
      }
    } catch (error) {
      for (const { reject } of batch) reject(error); // B2
    }
  }

  /** The calls that fit into the next batch; always at least the first one. */
  #take(): Waiting<Item, Result>[] {
    let size = 0;
    let calls = 0;
    for (const { items } of this.#waiting) {
      if (calls > 0 && size + items.length > BATCH_MAX) break;
      size += items.length;
      calls += 1;
    }
    this.#waitingItems -= size;
    return this.#waiting.splice(0, calls);
  }
}
