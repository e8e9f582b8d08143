// The other half of every job: what a block needs beside the share. Kept here, and in shared state for the other jobmanagers.
//
//   publish(job) --push first--> keep(job, template) --a moment later--> own memory, shared state
//   submitBlock(job id) --bodyOf--> own memory | shared state | unknown
//
//   B1. Nothing here is in the way of a push: encoding and saving begin SAVE_AFTER_MS after the tick in which the job went out.
//   B2. A body is there from the moment its job is pushed: asked for before it is encoded, it is encoded then.
//   B3. What could not be saved is saved as soon as it can be: a stratum that starts after an outage knows none of the jobs that miners
//       were told during it, and this process may be gone by then.
//   B4. Memory is bounded, by jobs and by bytes; the oldest go first.

import { pack, unpack } from "msgpackr";
import { type Job, type JobId, storedJob } from "../../lib/contracts/index.js";
import { type BlockBody, bodyOf, packBody, unpackBody } from "./block.js";
import { messageOf } from "./reason.js";
import type { Template } from "./template.js";

/** Ten minutes of refreshes and a run of tips; miners never work on older jobs. */
const JOBS_MAX = 64;
/** Full blocks of 4 MB would fill it with 64 of them. */
const BYTES_MAX = 256 * 1_048_576;

/**
 * Encoding takes the processor for milliseconds, which whoever carries the job to the miners needs more. Before they have it, no block
 * of it can be found that another jobmanager would have to finish.
 */
const SAVE_AFTER_MS = 10;

/** B3. Redis' return is not told: to ask a connection that is away costs nothing. */
const SAVE_AGAIN_MS = 200;

/** The wiring's JobStore: bytes under a job's id, in shared state. */
export interface Store {
  save(id: string, bytes: Uint8Array, ttlMs: number): Promise<void>;
  load(id: string): Promise<Uint8Array | undefined>;
}

export interface JobsDeps {
  readonly store: Store;
  readonly ttlMs: number;
  onSaveFailed(id: JobId, reason: string): void;
  onLoadFailed(id: JobId, reason: string): void;
}

interface Kept {
  readonly job: Job;
  /** A template until its body was made: the two together would take three times the room. */
  it: { readonly template: Template } | { readonly body: BlockBody };
}

export class Jobs {
  readonly #kept = new Map<JobId, Kept>();
  /** B3 */
  readonly #unsaved = new Set<JobId>();
  #again: NodeJS.Timeout | undefined;

  constructor(private readonly deps: JobsDeps) {}

  /** B1: returns at once. */
  keep(job: Job, template: Template): void {
    const kept: Kept = { job, it: { template } };
    this.#kept.set(job.id, kept);
    setTimeout(() => void this.#saveFirst(kept), SAVE_AFTER_MS);
  }

  /** Undefined: neither we nor shared state have it (any more). */
  async bodyOf(id: JobId): Promise<BlockBody | undefined> {
    const kept = this.#kept.get(id);
    if (kept) return encoded(kept); // B2
    try {
      const bytes = await this.deps.store.load(id);
      const stored = bytes && storedJob.safeParse(unpack(bytes)).data;
      return stored && unpackBody(stored.body);
    } catch (error) {
      this.deps.onLoadFailed(id, messageOf(error));
      return undefined;
    }
  }

  async #saveFirst(kept: Kept): Promise<void> {
    const { id } = kept.job;
    encoded(kept);
    this.#trim();
    const why = await this.#save(kept);
    if (why === undefined) return;
    this.deps.onSaveFailed(id, why);
    this.#unsaved.add(id);
    this.#saveLater();
  }

  /** @returns why not. */
  async #save(kept: Kept): Promise<string | undefined> {
    const { job } = kept;
    try {
      await this.deps.store.save(job.id, pack({ job, body: packBody(encoded(kept)) }), this.deps.ttlMs);
      return undefined;
    } catch (error) {
      return messageOf(error);
    }
  }

  /** B3 */
  #saveLater(): void {
    this.#again ??= setTimeout(() => void this.#saveAgain(), SAVE_AGAIN_MS).unref();
  }

  /** B3. The newest first: it is what miners work on. */
  async #saveAgain(): Promise<void> {
    for (const id of [...this.#unsaved].reverse()) {
      const kept = this.#kept.get(id);
      if (kept && (await this.#save(kept)) !== undefined) break;
      this.#unsaved.delete(id);
    }
    this.#again = undefined;
    if (this.#unsaved.size > 0) this.#saveLater();
  }

  /** B4 */
  #trim(): void {
    let bytes = 0;
    for (const kept of this.#kept.values()) bytes += sizeOf(kept);
    for (const [id, kept] of this.#kept) {
      if (this.#kept.size <= JOBS_MAX && bytes <= BYTES_MAX) return;
      bytes -= sizeOf(kept);
      this.#kept.delete(id);
    }
  }
}

function encoded(kept: Kept): BlockBody {
  const body = "body" in kept.it ? kept.it.body : bodyOf(kept.it.template);
  kept.it = { body };
  return body;
}

const sizeOf = ({ it }: Kept): number => ("body" in it ? it.body.tail.length : 0);
