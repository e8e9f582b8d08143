// Connection state: what a backend must know of a client connection to take it over from another backend, or to know the
// client again when it comes back on another connection.
//
//   stratum --save (when it changes), touch (while it lives), release (the client left)--> Redis, one hash a connection
//   another stratum <--load (its backend died) or claim (the client came back with its session id)--
//
//   state (bytes, opaque here)   claimedBy (the connection that took it over)   live (1 until released)
//
//   Z1. A live connection's state is never given to another one: a session id that somebody guessed or kept gets `held`.
//   Z2. A state is claimed by at most one connection; the same claimer asking again gets it again (its line was re-delivered).
//   Z3. Nothing stays for ever: a live state expires liveTtlMs after the last save or touch, a released one after resumeTtlMs.
//
// Lists go out in one pipeline; a saved state is at most STATE_BYTES_MAX, so a batch is bounded by its length.

import type { ChainableCommander, Redis } from "ioredis";
import { key } from "./keys.js";
import { claim } from "./scripts/claim.js";

/** Extranonce, difficulty, mask and up to 16 worker names take some hundred bytes; more than this is a bug. */
export const STATE_BYTES_MAX = 4_096;
/** In one pipeline: 1,000 states are at most 4 MB on their way. Longer lists are cut into several. */
const BATCH_MAX = 1_000;

export interface ConnectionStatesOptions {
  /** Default 10 minutes: touch well before. */
  readonly liveTtlMs?: number;
  /** How long a client that left may come back to its session. Default 1 hour. */
  readonly resumeTtlMs?: number;
}

export interface SavedState {
  /** The connection's id. */
  readonly connection: string;
  /** At most STATE_BYTES_MAX. */
  readonly state: Uint8Array;
}

/** claimed: the state is the claimer's now. held: a live connection, or another claimer, has it. unknown: expired, or never was. */
export type Claim =
  | { readonly kind: "claimed"; readonly state: Uint8Array }
  | { readonly kind: "held" }
  | { readonly kind: "unknown" };

export class ConnectionStates {
  readonly #liveTtlMs: number;
  readonly #resumeTtlMs: number;

  /** @param redis The house's `redis.state`: fails fast, so every method rejects at once while Redis is away. */
  constructor(
    private readonly redis: Redis,
    private readonly cluster: string,
    options: ConnectionStatesOptions = {},
  ) {
    this.#liveTtlMs = options.liveTtlMs ?? 10 * 60_000;
    this.#resumeTtlMs = options.resumeTtlMs ?? 60 * 60_000;
  }

  /**
   * Writes states of live connections and renews their life.
   *
   * @throws {RangeError} when a state is too long (nothing is written). @throws {Error} what Redis said; may have been written.
   */
  async save(entries: readonly SavedState[]): Promise<void> {
    for (const { connection, state } of entries) {
      if (state.length <= STATE_BYTES_MAX) continue;
      throw new RangeError(
        `the state of connection ${connection} has ${state.length} bytes, allowed are ${STATE_BYTES_MAX}`,
      );
    }
    for (const batch of batches(entries)) {
      const multi = this.redis.multi(); // Z3: a state without an expiry must not exist for a moment.
      for (const { connection, state } of batch) {
        multi.hset(this.#key(connection), { state: asBuffer(state), live: "1" });
        multi.pexpire(this.#key(connection), this.#liveTtlMs);
      }
      await replies(multi);
    }
  }

  /** In the order asked for; undefined for one that is unknown. */
  async load(connections: readonly string[]): Promise<(Uint8Array | undefined)[]> {
    const states: (Uint8Array | undefined)[] = [];
    for (const batch of batches(connections)) {
      const pipeline = this.redis.pipeline();
      for (const connection of batch) pipeline.hgetBuffer(this.#key(connection), "state");
      for (const state of await replies(pipeline)) states.push(state instanceof Buffer ? state : undefined);
    }
    return states;
  }

  /**
   * Renews the life of live connections' states without writing them.
   *
   * @returns the connections that Redis does not know (it came back empty, or they were not touched in time): save them again.
   */
  async touch(connections: readonly string[]): Promise<string[]> {
    const unknown: string[] = [];
    for (const batch of batches(connections)) {
      const pipeline = this.redis.pipeline();
      for (const connection of batch) pipeline.pexpire(this.#key(connection), this.#liveTtlMs);
      const known = await replies(pipeline);
      unknown.push(...batch.filter((_, i) => known[i] === 0));
    }
    return unknown;
  }

  /** The client left: nobody lives on this state any more, and it may be claimed for resumeTtlMs. */
  async release(connection: string): Promise<void> {
    const name = this.#key(connection);
    await replies(this.redis.multi().hdel(name, "live").pexpire(name, this.#resumeTtlMs));
  }

  /**
   * Takes over the state of `session`, the id of the connection that the client had before.
   *
   * @param by The client's present connection. Repeating a claim by the same connection gives the same answer.
   */
  async claim(session: string, by: string): Promise<Claim> {
    const reply = await claim.runForBytes(this.redis, [this.#key(session)], [by, this.#resumeTtlMs]);
    if (reply instanceof Buffer) return { kind: "claimed", state: reply };
    return { kind: reply === 0 ? "unknown" : "held" };
  }

  #key(connection: string): string {
    return key(this.cluster, "connection", connection);
  }
}

function* batches<T>(all: readonly T[]): Generator<readonly T[]> {
  for (let at = 0; at < all.length; at += BATCH_MAX) yield all.slice(at, at + BATCH_MAX);
}

/** exec() resolves even when a command inside failed. */
async function replies(commands: ChainableCommander): Promise<unknown[]> {
  const results = await commands.exec();
  return (results ?? []).map(([error, reply]) => {
    if (error) throw error;
    return reply;
  });
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
