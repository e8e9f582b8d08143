// scrypt-threads: headers wait here for a thread that hashes them, and go to it by the dozen.
//
//   hash(header) --> queue --(end of the tick, or a thread is done)--> scrypt-thread.ts x n --> promises
//                      \--no thread is there: the first moments, or one has died--> crypto.scrypt
//
//   T1. Every header is hashed, whatever becomes of a thread: what a dead one had is hashed by crypto.scrypt.
//   T2. Threads keep the process alive only while they have work. After IDLE_MS without any they end, and begin again when needed.
//   T3. Where threads cannot begin (a limit of the system's), they are not tried again: crypto.scrypt does it all.

import { scrypt } from "node:crypto";
import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import { HASH_BYTES } from "../hash.js";
import { HEADER_BYTES } from "../header.js";

export const SCRYPT = { N: 1_024, r: 1, p: 1 } as const;
/** More than cores would only take turns; beyond eight the event loop cannot feed them. */
const THREADS_MAX = 8;
/** Headers of one message: some milliseconds of work, so that the message itself costs nothing. */
const BATCH_MAX = 32;
/** Given to a thread at once: the second waits at its door while it works on the first. */
const BATCHES_MAX = 2;
/** What romix.ts does together. */
const TOGETHER = 4;
const IDLE_MS = 30_000;

interface Waiting {
  readonly header: Uint8Array;
  resolve(hash: Uint8Array): void;
  reject(error: Error): void;
}

interface Thread {
  readonly worker: Worker;
  /** It said so: its code is loaded. */
  here: boolean;
  /** It was told to end. */
  ending: boolean;
  readonly batches: (readonly Waiting[])[];
}

export class ScryptThreads {
  #threads: Thread[] = [];
  #queue: Waiting[] = [];
  #scheduled = false;
  /** T3 */
  #hopeless = false;
  #idle: NodeJS.Timeout | undefined;

  constructor(readonly count = Math.min(THREADS_MAX, availableParallelism())) {}

  /** Threads that can be given work. */
  get ready(): number {
    return this.#threads.filter(({ here }) => here).length;
  }

  hash(header: Uint8Array): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      this.#queue.push({ header, resolve, reject });
      if (this.#scheduled) return;
      this.#scheduled = true;
      setImmediate(() => {
        this.#scheduled = false;
        this.#hand();
      });
    });
  }

  /** Ends the threads; what they had is hashed all the same (T1). */
  close(): void {
    clearTimeout(this.#idle);
    for (const thread of this.#threads) {
      thread.ending = true;
      void thread.worker.terminate();
    }
  }

  #hand(): void {
    if (this.#threads.length === 0 && !this.#hopeless) this.#begin();
    clearTimeout(this.#idle);
    this.#idle = setTimeout(() => this.close(), IDLE_MS).unref(); // T2
    const there = this.#threads.filter(({ here }) => here);
    if (there.length === 0) {
      for (const waiting of this.#queue.splice(0)) hashAlone(waiting);
      return;
    }
    for (let round = 0; round < BATCHES_MAX; round++) {
      const free = there.filter(({ batches }) => batches.length <= round);
      free.forEach((thread, i) => {
        const part = Math.ceil(this.#queue.length / (free.length - i) / TOGETHER) * TOGETHER;
        this.#give(thread, this.#queue.splice(0, Math.min(part, BATCH_MAX)));
      });
    }
  }

  #give(thread: Thread, batch: readonly Waiting[]): void {
    if (batch.length === 0) return;
    const headers = new Uint8Array(batch.length * HEADER_BYTES);
    batch.forEach(({ header }, i) => {
      headers.set(header, i * HEADER_BYTES);
    });
    if (thread.batches.push(batch) === 1) thread.worker.ref(); // T2
    thread.worker.postMessage(headers, [headers.buffer]);
  }

  #begin(): void {
    this.#threads = Array.from({ length: this.count }, () => {
      const worker = new Worker(new URL("./scrypt-thread.js", import.meta.url), { name: "scrypt" });
      const thread: Thread = { worker, here: false, ending: false, batches: [] };
      worker.unref();
      worker.on("message", (said: Uint8Array | "here") => this.#heard(thread, said));
      worker.on("error", () => {}); // `exit` follows.
      worker.on("exit", () => this.#gone(thread));
      return thread;
    });
  }

  #heard(thread: Thread, said: Uint8Array | "here"): void {
    if (said === "here") {
      thread.here = true;
      thread.worker.unref(); // Once more: while it starts, Node holds on to it again.
      return;
    }
    const batch = thread.batches.shift() ?? [];
    if (thread.batches.length === 0) thread.worker.unref();
    batch.forEach(({ resolve }, i) => {
      resolve(said.subarray(i * HASH_BYTES, (i + 1) * HASH_BYTES));
    });
    if (this.#queue.length > 0) this.#hand();
  }

  /** T1 */
  #gone(thread: Thread): void {
    if (!thread.here && !thread.ending) this.#hopeless = true;
    this.#threads = this.#threads.filter((it) => it !== thread);
    for (const waiting of thread.batches.splice(0).flat()) hashAlone(waiting);
    if (this.#queue.length > 0) this.#hand();
  }
}

function hashAlone({ header, resolve, reject }: Waiting): void {
  scrypt(header, header, HASH_BYTES, SCRYPT, (error, hash) => (error ? reject(error) : resolve(hash)));
}
