// A rig: one worker on one connection that mines slowly and for ever, and never gives up on its pool.
//
//   connect -> subscribe (with its old session id) -> authorize -> hash, submit, hash ... -> connection lost? once more
//
// On regtest every second hash is a block, so a rig at full speed would flood the chain: it makes `hashesPerSecond` hashes.

import { hrtime } from "node:process";
import { setTimeout as delay } from "node:timers/promises";
import type { ProofOfWorkName } from "../../lib/contracts/index.js";
import { messageOf } from "../../lib/thrown.js";
import { StratumClient, StratumError, type Subscription } from "./client.js";
import { attempt, isShare } from "./grind.js";

export interface RigOptions {
  readonly host: string;
  readonly port: number;
  readonly worker: string;
  readonly proofOfWork: ProofOfWorkName;
  readonly hashesPerSecond: number;
  onEvent?(event: RigEvent): void;
}

export type RigEvent =
  | { readonly kind: "connected"; readonly worker: string; readonly extranonce1: string }
  | { readonly kind: "disconnected"; readonly worker: string; readonly reason: string }
  | { readonly kind: "accepted"; readonly worker: string; readonly jobId: string; readonly answerMs: number }
  | { readonly kind: "rejected"; readonly worker: string; readonly jobId: string; readonly reason: string };

export interface RigCounts {
  hashes: number;
  accepted: number;
  /** Refused by the pool, with its reason. */
  rejected: Record<string, number>;
  /** Submitted, but the connection ended before the answer. */
  unanswered: number;
  /** Connections that ended, or were refused, although the rig wanted to stay. */
  disconnects: number;
}

/** Between two hashes: as far apart as real luck puts them, so that rigs do not find their blocks all at the same moment. */
const pauseMs = (hashesPerSecond: number): number => (1_000 / hashesPerSecond) * (0.2 + 1.6 * Math.random());

const RECONNECT_MS = 1_000;
const NONCES = 2 ** 32;

export class Rig {
  readonly counts: RigCounts = { hashes: 0, accepted: 0, rejected: {}, unanswered: 0, disconnects: 0 };
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;
  readonly #options: RigOptions;
  #session: Subscription | undefined;
  #nonce = Math.floor(Math.random() * NONCES);

  constructor(options: RigOptions) {
    this.#options = options;
    this.#running = this.#live();
  }

  /** No new share; resolves when every submitted one is answered and the connection is closed by us. Safe twice. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async #live(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      const client = await this.#connect();
      if (client) {
        await this.#mine(client);
        client.close();
      } else {
        await this.#pause(RECONNECT_MS);
      }
    }
  }

  async #connect(): Promise<StratumClient | undefined> {
    const { host, port, worker } = this.#options;
    let client: StratumClient | undefined;
    try {
      client = await StratumClient.connect({ host, port });
      this.#session = await client.subscribe("headframe-rig/1", this.#session?.sessionId);
      await client.authorize(worker);
      this.#options.onEvent?.({ kind: "connected", worker, extranonce1: this.#session.extranonce1 });
      return client;
    } catch (error) {
      client?.close();
      this.#lost(error);
      return undefined;
    }
  }

  #lost(error: unknown): void {
    if (this.#stop.signal.aborted) return;
    this.counts.disconnects += 1;
    const reason = messageOf(error);
    this.#options.onEvent?.({ kind: "disconnected", worker: this.#options.worker, reason });
  }

  async #mine(client: StratumClient): Promise<void> {
    const answers = new Set<Promise<void>>();
    client.once("close", (error) => this.#lost(error ?? new Error("the pool closed the connection")));
    while (!client.closed && !this.#stop.signal.aborted) {
      await this.#pause(pauseMs(this.#options.hashesPerSecond));
      const submitted = client.closed || this.#stop.signal.aborted ? undefined : this.#hash(client);
      if (submitted) answers.add(submitted.finally(() => answers.delete(submitted)));
    }
    await Promise.allSettled(answers);
  }

  #hash(client: StratumClient): Promise<void> | undefined {
    const { work } = client;
    const session = this.#session;
    if (!work || !session) return undefined;
    this.#nonce = (this.#nonce + 1) % NONCES;
    this.counts.hashes += 1;
    const extranonce2 = "00".repeat(session.extranonce2Size);
    const found = attempt(work, session.extranonce1, extranonce2, this.#nonce);
    if (!isShare(this.#options.proofOfWork, found.header, work.difficulty)) return undefined;
    return this.#submit(client, found);
  }

  async #submit(client: StratumClient, share: Parameters<StratumClient["submit"]>[1]): Promise<void> {
    const { worker, onEvent } = this.#options;
    const from = hrtime.bigint();
    try {
      await client.submit(worker, share);
      this.counts.accepted += 1;
      onEvent?.({ kind: "accepted", worker, jobId: share.jobId, answerMs: Number(hrtime.bigint() - from) / 1e6 });
    } catch (error) {
      if (!(error instanceof StratumError)) {
        this.counts.unanswered += 1;
        return;
      }
      this.counts.rejected[error.message] = (this.counts.rejected[error.message] ?? 0) + 1;
      onEvent?.({ kind: "rejected", worker, jobId: share.jobId, reason: error.message });
    }
  }

  /** A wait that stop() ends. */
  async #pause(ms: number): Promise<void> {
    await delay(ms, undefined, { signal: this.#stop.signal }).catch((error: unknown) => {
      if (!this.#stop.signal.aborted) throw error;
    });
  }
}
