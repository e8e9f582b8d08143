// Job store: what a job needs beside what miners see (a block's other transactions), so that any jobmanager can complete a
// block of any job, also of one that its maker did not live to see.

import type { Redis } from "ioredis";
import { key } from "./keys.js";

/** A full block of 4 MB as hex, and some room; more is a bug. */
export const JOB_BYTES_MAX = 16 * 1_024 * 1_024;

export class JobStore {
  /** @param redis The house's `redis.state`: fails fast while Redis is away. */
  constructor(
    private readonly redis: Redis,
    private readonly cluster: string,
  ) {}

  /**
   * @param id The job's id. Saving again replaces.
   * @param ttlMs How long it can be loaded.
   * @throws {RangeError} when it has more than JOB_BYTES_MAX. @throws {Error} what Redis said.
   */
  async save(id: string, bytes: Uint8Array, ttlMs: number): Promise<void> {
    if (bytes.length > JOB_BYTES_MAX) {
      throw new RangeError(`job ${id} has ${bytes.length} bytes, allowed are ${JOB_BYTES_MAX}`);
    }
    const value = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    await this.redis.set(this.#key(id), value, "PX", ttlMs);
  }

  /** Undefined: expired, or never saved. */
  async load(id: string): Promise<Uint8Array | undefined> {
    return (await this.redis.getBuffer(this.#key(id))) ?? undefined;
  }

  #key(id: string): string {
    return key(this.cluster, "job", id);
  }
}
