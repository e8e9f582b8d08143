// What outlives this process: sessions in Redis, and extranonce1 numbers that nobody else hands out.
//
//   in-lines -> save (a tick's changes in one batch), release, forget --> ConnectionStates
//   in-lines <- adopt (a connection whose edge died), enlist (resume or a new number) <-- ConnectionStates, Allotment
//
//   C3. Redis gone disconnects nobody: saves are kept and tried again; the newest one of a connection is what counts.
//   C4. A session is resumed when nobody holds it; otherwise, or when Redis does not answer in time, a new one begins. A client may be
//       back before its old connection is known to be closed, so `held` is asked again for a while; and what was held by an
//       edge that is gone is free.
//   K1. Only bytes that snapshot.ts understands leave here.

import type { ConnectionId, Handle } from "../../lib/contracts/index.js";
import {
  Allotment,
  type Claim,
  ConnectionStates,
  type House,
  type Log,
  type PeerId,
  type SavedState,
  type Tenure,
} from "../../lib/wiring/index.js";
import type { Memory, Seat } from "./ports.js";
import type { Grant } from "./session.js";
import { decodeSnapshot, type Snapshot } from "./snapshot.js";
import type { Tally } from "./tally.js";
import { pause } from "./wait.js";

/** What of lib/wiring's ConnectionStates is used here. */
export interface States {
  save(entries: readonly SavedState[]): Promise<number>;
  adopt(tenure: Tenure): Promise<Uint8Array | undefined>;
  touch(connections: readonly string[]): Promise<string[]>;
  release(tenure: Omit<Tenure, "holder">): Promise<boolean>;
  claim(session: string, by: Tenure, gone?: string): Promise<Claim>;
}
/** What of lib/wiring's Allotment is used here. */
export interface Numbers {
  next(): Promise<number>;
  close?(): void;
}

export interface OutStateOptions {
  readonly states: States;
  readonly numbers: Numbers;
  readonly extranonce1Size: number;
  /** Whether this edge lives. Undefined: this instance is too young to know. */
  isAlive(edge: PeerId): boolean | undefined;
  readonly log: Log;
  readonly tally: Tally;
}

/** Numbers for extranonce1: four billion, or as many as its bytes hold. */
const NUMBERS_MAX = 2 ** 32;
/** A tenth of how long a live state lives, so that nine lost touches do no harm. */
export const TOUCH_EVERY_MS = 60_000;
const RETRY_MS = 250;
/** A miner waits for its subscribe: resuming is worth this much of its patience (cgminer gives up after 60 s). */
const CLAIM_PATIENCE_MS = 2_000;
/** How long `held` is believed to be about to change: a broken connection is closed here within some ten milliseconds of its end. */
const HELD_PATIENCE_MS = 600;
const HELD_RETRY_MS = 50;
const TELL_EVERY_MS = 1_000;

export class OutState implements Memory {
  #dirty = new Map<ConnectionId, SavedState & { readonly turn: Handle }>();
  #saving: Promise<void> | undefined;
  #retry: NodeJS.Timeout | undefined;
  readonly #closing = new AbortController();
  /** What failed -> when it was said. */
  readonly #toldMs = new Map<string, number>();

  constructor(private readonly options: OutStateOptions) {}

  /** Resolves with numbers in hand. @throws {Error} what Redis said. */
  static async open(
    house: House,
    options: Pick<OutStateOptions, "extranonce1Size" | "isAlive" | "tally">,
  ): Promise<OutState> {
    const { redis, cluster, log } = house;
    const limit = Math.min(NUMBERS_MAX, 2 ** (8 * options.extranonce1Size));
    const numbers = await Allotment.open(redis.state, cluster, "extranonce1", { limit });
    return new OutState({ ...options, states: new ConnectionStates(redis.state, cluster), numbers, log });
  }

  /** Written at the end of the tick, or as soon as Redis is there again. */
  save(seat: Seat, state: Uint8Array): void {
    this.#dirty.set(seat.id, { ...tenureOf(seat), state });
    if (!this.#retry) void this.flush();
  }

  /** The connection is another instance's now: what waits to be written is older than what that one writes. */
  forget({ id, handle }: Seat): void {
    if (this.#dirty.get(id)?.turn === handle) this.#dirty.delete(id);
  }

  /** The client left: its session may be resumed on another connection. */
  async release(seat: Seat): Promise<void> {
    try {
      if (this.#dirty.has(seat.id) || this.#saving) await this.flush();
      this.forget(seat);
      await this.options.states.release(tenureOf(seat));
    } catch (error) {
      // It stays `live` until it expires: then its miner resumes with a new extranonce1, nothing worse.
      this.#failed(error, "release");
    }
  }

  /** Resolves when all that was saved so far is written, or could not be. Never rejects. */
  flush(): Promise<void> {
    this.#saving ??= this.#write().finally(() => {
      this.#saving = undefined;
    });
    return this.#saving;
  }

  /** Renews what lives. `again` names those that Redis has lost. */
  async touch(connections: readonly string[], again: (connection: string) => void): Promise<void> {
    try {
      for (const connection of await this.options.states.touch(connections)) again(connection);
    } catch (error) {
      this.#failed(error, "touch");
    }
  }

  /** Waits for Redis as long as `wanted` says. Undefined: it knows nothing of this connection. */
  async adopt(seat: Seat, wanted: () => boolean): Promise<Snapshot | undefined> {
    while (wanted() && !this.#closing.signal.aborted) {
      try {
        const state = await this.options.states.adopt(tenureOf(seat));
        return state && decodeSnapshot(state);
      } catch (error) {
        this.#failed(error, "adopt");
        await pause(RETRY_MS, this.#closing.signal);
      }
    }
    return undefined;
  }

  /** An extranonce1 for a connection that subscribes. Undefined: it is not wanted any more. */
  async enlist(seat: Seat, session: string | undefined, wanted: () => boolean): Promise<Grant | undefined> {
    const resumed = session === undefined ? undefined : await this.#claim(session, tenureOf(seat), wanted);
    if (resumed?.mining) {
      this.options.tally.count("stratum.enlisted", 1, ["how", "resumed"]);
      return { extranonce1: resumed.mining.extranonce1, resumed };
    }
    const number = await this.#number(wanted);
    if (number === undefined) return undefined;
    this.options.tally.count("stratum.enlisted", 1, ["how", "new"]);
    return { extranonce1: number.toString(16).padStart(2 * this.options.extranonce1Size, "0") };
  }

  async close(): Promise<void> {
    clearTimeout(this.#retry);
    this.options.numbers.close?.();
    await this.flush();
    this.#closing.abort();
    clearTimeout(this.#retry);
  }

  async #claim(session: string, by: Tenure, wanted: () => boolean): Promise<Snapshot | undefined> {
    const begunMs = performance.now();
    let gone: string | undefined;
    while (wanted() && performance.now() - begunMs < CLAIM_PATIENCE_MS) {
      try {
        const claim = await this.options.states.claim(session, by, gone);
        if (claim.kind === "claimed") return this.#ofOurSize(decodeSnapshot(claim.state));
        if (claim.kind === "unknown" || gone !== undefined) return undefined;
        const alive = claim.holder === undefined || this.options.isAlive(claim.holder as PeerId);
        if (alive === undefined || performance.now() - begunMs < HELD_PATIENCE_MS)
          await pause(HELD_RETRY_MS, this.#closing.signal);
        else if (alive) return this.#held();
        else gone = claim.holder;
      } catch (error) {
        this.#failed(error, "claim");
        await pause(RETRY_MS, this.#closing.signal);
      }
    }
    return undefined;
  }

  #held(): undefined {
    this.options.tally.count("stratum.enlisted", 1, ["how", "held"]);
  }

  /** A session from before the operator changed the size of extranonce1 fits no job of today's. */
  #ofOurSize(snapshot: Snapshot | undefined): Snapshot | undefined {
    const fits = snapshot?.mining?.extranonce1.length === 2 * this.options.extranonce1Size;
    return fits ? snapshot : undefined;
  }

  async #number(wanted: () => boolean): Promise<number | undefined> {
    while (wanted() && !this.#closing.signal.aborted) {
      try {
        return await this.options.numbers.next();
      } catch (error) {
        this.#failed(error, "allot");
        await pause(RETRY_MS, this.#closing.signal);
      }
    }
    return undefined;
  }

  async #write(): Promise<void> {
    await null; // The rest of this tick's changes come along.
    while (this.#dirty.size > 0) {
      const batch = this.#dirty;
      this.#dirty = new Map();
      try {
        await this.options.states.save([...batch.values()]);
      } catch (error) {
        // C3: what changed since is newer and stays.
        this.#dirty = new Map([...batch, ...this.#dirty]);
        this.#failed(error, "save");
        this.#later();
        return;
      }
    }
  }

  #later(): void {
    clearTimeout(this.#retry);
    if (this.#closing.signal.aborted) return;
    this.#retry = setTimeout(() => {
      this.#retry = undefined;
      void this.flush();
    }, RETRY_MS);
  }

  /** Thousands of connections may meet the same outage: it is counted for each, and said once a second. */
  #failed(error: unknown, what: string): void {
    this.options.tally.count("stratum.state_errors");
    const nowMs = performance.now();
    if (nowMs - (this.#toldMs.get(what) ?? Number.NEGATIVE_INFINITY) < TELL_EVERY_MS) return;
    this.#toldMs.set(what, nowMs);
    this.options.log.warn({ err: error }, `shared state: ${what} failed; it is tried again or done without`);
  }
}

/** Of two ownerships of a connection the later one has the greater handle: edges see to that. */
const tenureOf = ({ id, edge, handle }: Seat) => ({ connection: id, holder: edge, turn: handle });
