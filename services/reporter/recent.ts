// Recent: what Redis has taken in the last seconds, in case it loses it. Pure.
//
// Redis answers before its disk or its replica has the write (appendfsync everysec, asynchronous replication): killed with its
// machine, or failed over, it comes back without its last moments. Whoever was answered `true` in them must not notice.
//
//   recorded --add--> [ batch, batch, ... ] --after every loss of the connection, again--> Redis: redelivered, or restored
//
//   T1. Kept for KEPT_MS, which is longer than any sane Redis is behind its disk or its replica; at most SHARES_MAX shares.
//       Nothing ages while nothing is added: an outage may last.
//   T2. What is kept here is known by its identity, so a duplicate of it is one also while Redis cannot be asked.

import { type CreditedShare, claimOf } from "./ports.js";

const KEPT_MS = 10_000;
/** Some 30 MB. */
const SHARES_MAX = 65_536;

interface Batch {
  readonly atMs: number;
  readonly shares: readonly CreditedShare[];
}

export class Recent {
  #batches: Batch[] = [];
  #shares = 0;
  readonly #claims = new Map<string, string>();

  /** Oldest first. */
  get batches(): readonly (readonly CreditedShare[])[] {
    return this.#batches.map(({ shares }) => shares);
  }

  /** `connection|line` of whoever brought this identity. */
  claimOf(identity: Uint8Array): string | undefined {
    return this.#claims.get(nameOf(identity));
  }

  /** These stand in the log by their own claims. */
  add(shares: readonly CreditedShare[], nowMs: number): void {
    if (shares.length === 0) return;
    this.#batches.push({ atMs: nowMs, shares });
    this.#shares += shares.length;
    for (const { share } of shares) this.#claims.set(nameOf(share.identity), claimOf(share));
    while (this.#overdue(nowMs)) this.#forget();
  }

  #overdue(nowMs: number): boolean {
    const [oldest] = this.#batches;
    return oldest !== undefined && (nowMs - oldest.atMs > KEPT_MS || this.#shares > SHARES_MAX);
  }

  #forget(): void {
    const { shares = [] } = this.#batches.shift() ?? {};
    this.#shares -= shares.length;
    for (const { share } of shares) this.#claims.delete(nameOf(share.identity));
  }
}

const nameOf = (identity: Uint8Array): string =>
  Buffer.from(identity.buffer, identity.byteOffset, identity.byteLength).toString("latin1");
