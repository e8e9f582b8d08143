// Vouchers: good shares by client address (IPv6: by /64), summed over all instances, so that none of them judges a farm by what it alone sees.
//
//   conduct.ts --good share--> counted here --every FLUSH_MS--> Redis (expires with the window) --offence?--> out-doors.ts
//
// Losing some of it, with Redis away, is harmless: an offence that cannot be checked shuts nobody out.

import type { Redis } from "ioredis";
import { key } from "../../lib/wiring/index.js";

/** An address with good shares costs one INCRBY in this time: thousands of them are a few hundred commands a second. */
const FLUSH_MS = 10_000;
/** An address' first good share: others must know soon that somebody honest is there. */
const FIRST_MS = 50;
/** Addresses counted between two flushes, and remembered as told. */
const ADDRESSES_MAX = 50_000;

export class OutVouchers {
  #fresh = new Map<string, number>();
  readonly #told = new Set<string>();
  #timer: NodeJS.Timeout | undefined;
  #dueMs = Number.POSITIVE_INFINITY;

  /** @param windowMs How long a good share speaks for its address, at least. */
  constructor(
    private readonly redis: Pick<Redis, "get" | "pipeline">,
    private readonly cluster: string,
    private readonly windowMs: number,
  ) {}

  goodShare(address: string): void {
    const count = this.#fresh.get(address);
    if (count === undefined && this.#fresh.size >= ADDRESSES_MAX) return;
    this.#fresh.set(address, (count ?? 0) + 1);
    this.#within(this.#told.has(address) ? FLUSH_MS : FIRST_MS);
  }

  /** Of a connection that proved hostile. */
  withdraw(address: string, shares: number): void {
    const count = this.#fresh.get(address);
    if (count === undefined && this.#fresh.size >= ADDRESSES_MAX) return;
    this.#fresh.set(address, (count ?? 0) - shares);
    this.#within(FLUSH_MS);
  }

  /** Of all instances. Undefined: it cannot be said. */
  async goodShares(address: string): Promise<number | undefined> {
    await this.#flush();
    try {
      return Number((await this.redis.get(this.#key(address))) ?? 0);
    } catch {
      return undefined;
    }
  }

  close(): void {
    clearTimeout(this.#timer);
  }

  #within(ms: number): void {
    const dueMs = performance.now() + ms;
    if (dueMs >= this.#dueMs) return;
    clearTimeout(this.#timer);
    this.#dueMs = dueMs;
    this.#timer = setTimeout(() => void this.#flush(), ms);
  }

  async #flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#dueMs = Number.POSITIVE_INFINITY;
    const counts = this.#fresh;
    if (counts.size === 0) return;
    this.#fresh = new Map();
    const pipeline = this.redis.pipeline();
    if (this.#told.size + counts.size > ADDRESSES_MAX) this.#told.clear();
    for (const [address, count] of counts) {
      this.#told.add(address);
      pipeline.incrby(this.#key(address), count).pexpire(this.#key(address), this.windowMs + FLUSH_MS);
    }
    await pipeline.exec().catch(() => undefined);
  }

  #key(address: string): string {
    return key(this.cluster, "good", address);
  }
}
