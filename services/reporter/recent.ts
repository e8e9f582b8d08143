// Recent: the shares and blocks that Redis has taken in the last seconds, in case it loses them. Pure.
//
// Redis answers before its disk or its replica has the write (appendfsync everysec, asynchronous replication): killed with its
// machine, or failed over, it comes back without its last moments. Whoever was answered `true` in them must not notice.
//
//   recorded --add--> [ 57, 58, 59 ] --after every loss of the connection: Redis has 57--> 58, 59 again, by new turns
//
//   T1. Kept for KEPT_MS, which is longer than any sane Redis is behind its disk or its replica; at most SHARES_MAX shares and
//       BLOCKS_MAX blocks. Nothing ages while nothing is added: an outage may last.
//   T2. What is kept here is known by its identity, so a duplicate of it is one also while Redis cannot be asked.
//   T3. What Redis lacks is missing until it was given again, however often that is begun: Redis may come back as one that has
//       less, then more, then less.
//   T4. Nothing is given again after REPLAY_MS: by then Redis may have forgotten the turn by itself, and would count it twice.

import { type CreditedShare, claimOf, MARK_TTL_MS, type SpoolRecord } from "./ports.js";

const KEPT_MS = 10_000;
/** Some 30 MB. */
const SHARES_MAX = 65_536;
/** Reports of a second from a busy private chain; a real one brings a few an hour. */
const BLOCKS_MAX = 1_024;
/** T4: with as much again to spare for clocks that go otherwise. */
const REPLAY_MS = MARK_TTL_MS / 2;

interface Entry {
  readonly atMs: number;
  readonly record: SpoolRecord;
  /** Of the last call that brought it to Redis. T3: more than any while it is missing. */
  turn: number;
}

export interface Missing {
  readonly record: SpoolRecord;
  /** It was given again, by this turn. */
  stands(turn: number): void;
}

export class Recent {
  #entries: Entry[] = [];
  #shares = 0;
  #blocks = 0;
  readonly #claims = new Map<string, string>();

  /** What a Redis lacks that has everything up to this turn, oldest first. */
  missing(lastTurn: number, nowMs: number): Missing[] {
    const lacking = this.#entries.filter(({ turn, atMs }) => turn > lastTurn && nowMs - atMs < REPLAY_MS);
    for (const entry of lacking) entry.turn = Number.POSITIVE_INFINITY; // T3
    return lacking.map((entry) => ({
      record: entry.record,
      stands(turn) {
        entry.turn = turn;
      },
    }));
  }

  /** `connection|line` of whoever brought this identity. */
  claimOf(identity: Uint8Array): string | undefined {
    return this.#claims.get(nameOf(identity));
  }

  /** These stand in Redis since this turn, shares by their own claims. */
  add(record: SpoolRecord, turn: number, nowMs: number): void {
    this.#entries.push({ atMs: nowMs, record, turn });
    this.#count(record, 1);
    for (const { share } of sharesOf(record)) this.#claims.set(nameOf(share.identity), claimOf(share));
    while (this.#overdue(nowMs)) this.#forget();
  }

  #overdue(nowMs: number): boolean {
    const [oldest] = this.#entries;
    if (oldest === undefined) return false;
    return nowMs - oldest.atMs > KEPT_MS || this.#shares > SHARES_MAX || this.#blocks > BLOCKS_MAX;
  }

  #forget(): void {
    const oldest = this.#entries.shift();
    if (!oldest) return;
    this.#count(oldest.record, -1);
    for (const { share } of sharesOf(oldest.record)) this.#claims.delete(nameOf(share.identity));
  }

  #count(record: SpoolRecord, times: 1 | -1): void {
    if (record.kind === "block") this.#blocks += times;
    else this.#shares += times * record.shares.length;
  }
}

const sharesOf = (record: SpoolRecord): readonly CreditedShare[] => (record.kind === "shares" ? record.shares : []);

const nameOf = (identity: Uint8Array): string =>
  Buffer.from(identity.buffer, identity.byteOffset, identity.byteLength).toString("latin1");
