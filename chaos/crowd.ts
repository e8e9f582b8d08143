// The crowd: all clients of a run, in threads, as one thing that the run holds.
//
//   Crowd.open -> mining() -> pause() -> waiting 0 -> close()          every fact goes to `see` in the order of its client

import { once } from "node:events";
import { Worker } from "node:worker_threads";
import type { Order, Report, ThreadData } from "./clients.js";
import type { Seen } from "./seen.js";
import type { Stretch } from "./tolls.js";

export interface CrowdOptions {
  readonly port: number;
  readonly clients: number;
  readonly everyMs: number;
  see(seen: Seen): void;
  /** A thread of clients was late itself. */
  late?(stretch: Stretch): void;
}

/** One thread serves some thousand clients of a share a second; two cores gain nothing from more threads. */
const CLIENTS_A_THREAD = 1_000;
const CONNECTIONS_A_SECOND = 200;

interface Thread {
  readonly worker: Worker;
  readonly ended: Promise<unknown>;
  newest: Omit<Report, "seen" | "late">;
}

export class Crowd {
  readonly #threads: Thread[] = [];
  #failure: Error | undefined;

  private constructor(readonly options: CrowdOptions) {}

  static open(options: CrowdOptions): Crowd {
    const crowd = new Crowd(options);
    const { clients, port, everyMs } = options;
    const threads = Math.ceil(clients / CLIENTS_A_THREAD);
    for (let first = 0; first < clients; first += CLIENTS_A_THREAD) {
      const count = Math.min(CLIENTS_A_THREAD, clients - first);
      crowd.#start({ port, first, count, everyMs, perSecond: CONNECTIONS_A_SECOND / threads });
    }
    return crowd;
  }

  /** Clients that mine. @throws when a thread failed: a bug of the machine itself. */
  get mining(): number {
    if (this.#failure) throw this.#failure;
    return this.#threads.reduce((sum, { newest }) => sum + newest.mining, 0);
  }

  get waiting(): number {
    return this.#threads.reduce((sum, { newest }) => sum + newest.waiting, 0);
  }

  get lines(): number {
    return this.#threads.reduce((sum, { newest }) => sum + newest.lines, 0);
  }

  /** The latest that a thread of clients was, by its own clock. */
  get lateMs(): number {
    return Math.max(...this.#threads.map(({ newest }) => newest.lateMs));
  }

  /** No more shares. */
  pause(): void {
    this.#order("pause");
  }

  /** Resolves when every client is gone and all that was seen was told. */
  async close(): Promise<void> {
    this.#order("close");
    await Promise.all(this.#threads.map(({ ended }) => ended));
  }

  #order(order: Order): void {
    for (const { worker } of this.#threads) worker.postMessage(order);
  }

  #start(workerData: ThreadData): void {
    const worker = new Worker(new URL("./clients.js", import.meta.url), { workerData });
    const thread: Thread = {
      worker,
      ended: once(worker, "exit"),
      newest: { mining: 0, waiting: 0, lines: 0, lateMs: 0 },
    };
    worker.on("error", (error) => {
      this.#failure = error;
    });
    worker.on("message", ({ seen, late, ...newest }: Report) => {
      thread.newest = newest;
      for (const stretch of late) this.options.late?.(stretch);
      for (const fact of seen) this.options.see(fact);
    });
    this.#threads.push(thread);
  }
}
