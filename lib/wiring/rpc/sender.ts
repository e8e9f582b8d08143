// Sender: one outstanding send a socket. zeromq.js refuses overlapping sends by throwing, sometimes where no promise catches it.
//
// With `sendTimeout: 0` a send never waits: it is taken by ZeroMQ's queue, which the outboxes bound, or fails at once
// because the peer is gone.

/** What is needed of a socket. */
export interface Sendable<Parts> {
  send(parts: Parts): Promise<void>;
}

export class Sender<Parts> {
  readonly #socket: Sendable<Parts>;
  readonly #failed: (parts: Parts, error: unknown) => void;
  #queue: Parts[] = [];
  #running: Promise<void> | undefined;

  /** @param failed Called for every message that ZeroMQ did not take. */
  constructor(socket: Sendable<Parts>, failed: (parts: Parts, error: unknown) => void) {
    this.#socket = socket;
    this.#failed = failed;
  }

  send(parts: Parts): void {
    this.#queue.push(parts);
    this.#running ??= this.#run();
  }

  /** Resolves when everything was taken or has failed. */
  async idle(): Promise<void> {
    await this.#running;
  }

  async #run(): Promise<void> {
    while (this.#queue.length > 0) {
      const batch = this.#queue;
      this.#queue = [];
      for (const parts of batch) await this.#send(parts);
    }
    this.#running = undefined;
  }

  async #send(parts: Parts): Promise<void> {
    try {
      await this.#socket.send(parts); // Throws or rejects: both end below.
    } catch (error) {
      this.#failed(parts, error);
    }
  }
}
