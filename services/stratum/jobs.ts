// The jobs that this instance knows, and which of them goes out.
//
//   every jobmanager --job--> JobBook.offer -> tip | refresh | dropped          session, verify <- find(id)
//
//   J1. The first jobmanager to see a new tip wins, whoever it is; the others' copies of that tip are not sent.
//   J2. Within a tip, only the senior live jobmanager's refreshes go out.
//   J3. A tip of the same height (a fork) counts only when the senior says so.
//   J4. A tip that no live jobmanager builds on any more is orphaned: then the senior's newest job is right, whatever its height. Whoever
//       is the last to leave the tip, `orphaned` says so, and in-jobs.ts offers the highest of the jobs that stand (heir) anew.
//   J5. A job that is not sent is known all the same: another instance may have sent it, and its connections may come here.
//
// A notice is a job as it is told to miners, with a header time of its own. Each announcement of it has a name of its own (variant.ts).

import { chain, type Difficulty, type Job, type JobId } from "../../lib/contracts/index.js";
import type { InstanceId } from "../../lib/wiring/index.js";
import type { Notice } from "./protocol/encode.js";
import { AHEAD_MAX, quantized } from "./variant.js";

/** Jobs kept: two jobmanagers refreshing every 30 s make 40 in ten minutes; twice that and some. */
export const JOBS_MAX = 128;
/** Previous hashes remembered, to tell a new fork from a late copy. */
const TIPS_MAX = 16;

export interface KnownJob {
  readonly job: Job;
  readonly networkTarget: bigint;
  /** As miners are told it: the greatest difficulty that a variant holds and that is not above the exact one. */
  readonly networkDifficulty: Difficulty;
}

export interface Tip {
  /** Hex of the previous hash. */
  readonly hash: string;
  readonly height: number;
  readonly sinceMs: number;
}

export type Offered = "tip" | "refresh" | "dropped";

export class JobBook {
  readonly #jobs = new Map<JobId, KnownJob>();
  readonly #newest = new Map<InstanceId, Job>();
  readonly #seen = new Set<string>();
  #tip: Tip | undefined;
  #previous: Tip | undefined;
  #current: KnownJob | undefined;
  #notice: Notice | undefined;

  /** The job that miners should work on. */
  get current(): KnownJob | undefined {
    return this.#current;
  }

  get tip(): Tip | undefined {
    return this.#tip;
  }

  /** How the current job was told last. */
  get notice(): Notice | undefined {
    return this.#notice;
  }

  /** @throws {RangeError} when the job's bits are no target. */
  offer(job: Job, from: InstanceId, senior: boolean, nowMs: number): Offered {
    const known = this.remember(job);
    this.#newest.set(from, job);
    const offered = this.#rank(job, senior);
    const hash = tipOf(job);
    if (offered === "tip") {
      this.#previous = this.#tip;
      this.#tip = { hash, height: job.height, sinceMs: nowMs };
    }
    this.#see(hash);
    if (offered !== "dropped") {
      this.#current = known;
      this.#notice = { job, time: job.time };
    }
    return offered;
  }

  /** J5. Also for a job that was loaded from shared state. */
  remember(job: Job): KnownJob {
    const networkTarget = chain.bitsToTarget(job.bits);
    const networkDifficulty = quantized(chain.targetToDifficulty(job.proofOfWork, networkTarget));
    const known = { job, networkTarget, networkDifficulty };
    this.#jobs.set(job.id, known);
    this.#trim();
    return known;
  }

  /** J4: there is a tip, and nobody builds on it. */
  get orphaned(): boolean {
    return this.#tip !== undefined && !this.#standing(this.#tip.hash);
  }

  /** J4: of what the live jobmanagers said last, the highest; of equal ones the first in this order. */
  heir(bySeniority: readonly InstanceId[]): { readonly job: Job; readonly from: InstanceId } | undefined {
    const all = bySeniority.flatMap((from) => {
      const job = this.#newest.get(from);
      return job ? [{ job, from }] : [];
    });
    return all.reduce<(typeof all)[number] | undefined>(
      (best, it) => (best && best.job.height >= it.job.height ? best : it),
      undefined,
    );
  }

  /** What this jobmanager said last, if it lives. */
  newestOf(from: InstanceId): Job | undefined {
    return this.#newest.get(from);
  }

  /** The jobmanager is gone: what it said last vouches for no tip any more. */
  leave(from: InstanceId): void {
    this.#newest.delete(from);
  }

  /** Tells the current job once more, with header time `seconds`. Undefined when there is none or its time cannot advance. */
  renew(seconds: number): Notice | undefined {
    const next = this.#notice && later(this.#notice, seconds);
    if (next) this.#notice = next;
    return next;
  }

  find(id: JobId): KnownJob | undefined {
    return this.#jobs.get(id);
  }

  /** Whether work on this job's tip is still worth something. */
  live(job: Job, nowMs: number, graceMs: number): boolean {
    const hash = tipOf(job);
    if (!this.#tip || hash === this.#tip.hash) return true;
    return hash === this.#previous?.hash && nowMs - this.#tip.sinceMs <= graceMs;
  }

  #rank(job: Job, senior: boolean): Offered {
    const tip = this.#tip;
    if (!tip || job.height > tip.height) return "tip"; // J1
    const hash = tipOf(job);
    if (hash === tip.hash) return senior && !job.clean && job.id !== this.#current?.job.id ? "refresh" : "dropped"; // J1, J2
    if (!senior) return "dropped";
    if (job.height === tip.height && !this.#seen.has(hash)) return "tip"; // J3
    return this.#standing(tip.hash) ? "dropped" : "tip"; // J4
  }

  #standing(hash: string): boolean {
    for (const job of this.#newest.values()) if (tipOf(job) === hash) return true;
    return false;
  }

  #see(hash: string): void {
    this.#seen.add(hash);
    for (const oldest of this.#seen) {
      if (this.#seen.size <= TIPS_MAX) break;
      this.#seen.delete(oldest);
    }
  }

  #trim(): void {
    for (const id of this.#jobs.keys()) {
      if (this.#jobs.size <= JOBS_MAX) break;
      if (id !== this.#current?.job.id) this.#jobs.delete(id);
    }
  }
}

/** The same job with a later header time: the wall clock's, or one second more where the daemon's clock is another. */
export function later({ job, time }: Notice, seconds: number): Notice | undefined {
  const sensible = seconds > time && seconds <= job.time + AHEAD_MAX;
  const next = sensible ? seconds : time + 1;
  return next - job.time <= AHEAD_MAX ? { job, time: next } : undefined;
}

export const tipOf = (job: Job): string => Buffer.from(job.previousHash).toString("hex");
