// The flood: all strangers of a run, in threads, as one thing that the run holds.

import { once } from "node:events";
import { Worker } from "node:worker_threads";
import type { Count, StrangersData } from "./strangers.js";

const NOTHING: Count = { lines: 0, heardBytes: 0, connected: 0, closed: 0 };

export class Flood {
  readonly #threads: { readonly worker: Worker; readonly ended: Promise<unknown>; newest: Count }[] = [];
  #failure: Error | undefined;

  static open(threads: readonly StrangersData[]): Flood {
    const flood = new Flood();
    for (const data of threads) flood.#start(data);
    return flood;
  }

  /** @throws when a thread failed: a bug of the fuzzer itself. */
  get count(): Count {
    if (this.#failure) throw this.#failure;
    return this.#threads.reduce(
      (sum, { newest }) => ({
        lines: sum.lines + newest.lines,
        heardBytes: sum.heardBytes + newest.heardBytes,
        connected: sum.connected + newest.connected,
        closed: sum.closed + newest.closed,
      }),
      NOTHING,
    );
  }

  async close(): Promise<void> {
    for (const { worker } of this.#threads) worker.postMessage("close");
    await Promise.all(this.#threads.map(({ ended }) => ended));
  }

  #start(workerData: StrangersData): void {
    const worker = new Worker(new URL("./strangers.js", import.meta.url), { workerData });
    const thread = { worker, ended: once(worker, "exit"), newest: NOTHING };
    worker.on("error", (error) => {
      this.#failure = error;
    });
    worker.on("message", (count: Count) => {
      thread.newest = count;
    });
    this.#threads.push(thread);
  }
}
