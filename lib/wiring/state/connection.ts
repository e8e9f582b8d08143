// Connection state: what a backend must know of a client connection to take it over from another backend, or to know the
// client again when it comes back on another connection.
//
//   stratum --save (when it changes), touch (while it lives), release (the client left)--> Redis, one hash a connection
//   another stratum <--adopt (its edge died) or claim (the client came back with its session id)--
//
//   state (bytes, opaque here)   claimedBy (the connection that took it over)   live (who holds the socket, until released)   turn
//
//   Z1. A live connection's state is never given to another one: a session id that somebody guessed or kept gets `held`.
//   Z2. A state is claimed by at most one live connection; the same claimer asking again gets it again (its line was re-delivered).
//   Z3. Nothing stays for ever: a live state expires liveTtlMs after the last save or touch, a released one after resumeTtlMs.
//   Z4. An owner of former days changes nothing: what it writes or releases is refused by its turn.
//
// Lists go out in batches; a saved state is at most STATE_BYTES_MAX, so a batch is bounded by its length.

import type { ChainableCommander, Redis } from "ioredis";
import { key } from "./keys.js";
import { adopt } from "./scripts/adopt.js";
import { claim } from "./scripts/claim.js";
import { release } from "./scripts/release.js";
import { save } from "./scripts/save.js";

/** Extranonce, difficulty, mask and up to 16 worker names take some hundred bytes; more than this is a bug. */
export const STATE_BYTES_MAX = 4_096;
/** In one pipeline: 1,000 states are at most 4 MB on their way. Longer lists are cut into several. */
const BATCH_MAX = 1_000;
/** In one script call, during which Redis does nothing else (about 3 us a state). */
const SAVES_MAX = 100;

export interface ConnectionStatesOptions {
  /** Default 10 minutes: touch well before. */
  readonly liveTtlMs?: number;
  /** How long a client that left may come back to its session. Default 1 hour. */
  readonly resumeTtlMs?: number;
}

/** A backend's hold on a connection. */
export interface Tenure {
  /** The connection's id. */
  readonly connection: string;
  /** Whose process has the client's socket: as long as that lives, the connection may. Not empty. */
  readonly holder: string;
  /** Grows with every change of the connection's owner. At most 2^53. */
  readonly turn: number;
}

export interface SavedState extends Tenure {
  /** At most STATE_BYTES_MAX. */
  readonly state: Uint8Array;
}

/**
 * claimed: the state is the claimer's now. held: a live connection, or another claimer, has it; `holder` has its socket, if that is
 * known. unknown: expired, or never was.
 */
export type Claim =
  | { readonly kind: "claimed"; readonly state: Uint8Array }
  | { readonly kind: "held"; readonly holder: string | undefined }
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
   * @returns how many were refused because another owner has written since (Z4).
   * @throws {RangeError} when a state is too long (nothing is written). @throws {Error} what Redis said; may have been written.
   */
  async save(entries: readonly SavedState[]): Promise<number> {
    for (const { connection, state } of entries) {
      if (state.length <= STATE_BYTES_MAX) continue;
      throw new RangeError(
        `the state of connection ${connection} has ${state.length} bytes, allowed are ${STATE_BYTES_MAX}`,
      );
    }
    let refused = 0;
    for (const batch of batches(entries, SAVES_MAX)) {
      const keys = batch.map(({ connection }) => this.#key(connection));
      const args = batch.flatMap(({ state, holder, turn }) => [asBuffer(state), holder, turn]);
      refused += Number(await save.run(this.redis, keys, [this.#liveTtlMs, ...args]));
    }
    return refused;
  }

  /** Becomes the owner of a connection that lives, without knowing anything of it. Undefined: nobody knows it. */
  async adopt({ connection, holder, turn }: Tenure): Promise<Uint8Array | undefined> {
    const state = await adopt.runForBytes(this.redis, [this.#key(connection)], [holder, turn, this.#liveTtlMs]);
    return state instanceof Buffer ? state : undefined;
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

  /** The client left: nobody lives on this state any more, and it may be claimed for resumeTtlMs. False: it is another's (Z4). */
  async release({ connection, turn }: Omit<Tenure, "holder">): Promise<boolean> {
    return (await release.run(this.redis, [this.#key(connection)], [turn, this.#resumeTtlMs])) === 1;
  }

  /**
   * Takes over the state of `session`, the id of the connection that the client had before.
   *
   * @param by The client's present connection. Repeating a claim by the same connection gives the same answer.
   * @param gone A holder that is known to be dead: what it held is free.
   */
  async claim(session: string, by: Tenure, gone = ""): Promise<Claim> {
    const keys = [this.#key(session), this.#key(by.connection)];
    const args = [by.connection, by.holder, by.turn, this.#key(""), this.#liveTtlMs, this.#resumeTtlMs, gone];
    const reply = await claim.runForBytes(this.redis, keys, args);
    if (reply instanceof Buffer) return { kind: "claimed", state: reply };
    if (!Array.isArray(reply)) return { kind: "unknown" };
    return { kind: "held", holder: String(reply[0]) || undefined };
  }

  #key(connection: string): string {
    return key(this.cluster, "connection", connection);
  }
}

function* batches<T>(all: readonly T[], most = BATCH_MAX): Generator<readonly T[]> {
  for (let at = 0; at < all.length; at += most) yield all.slice(at, at + most);
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
