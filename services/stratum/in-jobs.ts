// Jobs as they arrive: every jobmanager's stream into the book, and jobs of the past out of shared state.
//
//   jobmanager --push job--> InJobs -> JobBook.offer -> onNotice(tip | refresh) -> in-lines: broadcast
//   an unknown job id -> lookup (lookups.ts) -> shared state -> JobBook.remember
//
//   J2. Senior is the first ready instance, oldest first, whose stream reaches us. When it is gone the next one is, at once, and
//       what that one has refreshed meanwhile goes out: nobody waits longer for new work than without the change.
//   J6. All jobs are of one chain, which is the senior's: a jobmanager of another coin or network, by a wrong `coin` or `cluster` in its
//       configuration, must not move miners to its work, whose shares would be paid from this pool's blocks.
//   L1. While shared state is away it is asked again for LOOKUP_MS: most of its absences are shorter, and what a miner is told of a job
//       that cannot be looked up is that its work is stale.

import { setTimeout as delay } from "node:timers/promises";
import { unpack } from "msgpackr";
import {
  type ConnectionId,
  type EpochMs,
  type Job,
  type JobId,
  type JobmanagerContract,
  storedJob,
} from "../../lib/contracts/index.js";
import {
  type Client,
  type Instance,
  type InstanceId,
  type Log,
  Seldom,
  type Subscription,
} from "../../lib/wiring/index.js";
import { type JobBook, type KnownJob, type Offered, tipOf } from "./jobs.js";
import { Lookups } from "./lookups.js";
import type { Archive } from "./ports.js";
import type { Settings } from "./settings.js";
import type { Tally } from "./tally.js";
import { orLate } from "./wait.js";

export interface InJobsOptions {
  readonly jobmanager: Pick<Client<JobmanagerContract>, "subscribe" | "watch">;
  /** Bytes of a job in shared state; undefined when it is not there. */
  load(id: JobId): Promise<Uint8Array | undefined>;
  readonly book: JobBook;
  readonly settings: Pick<Settings, "extranonce1Size" | "extranonce2Size">;
  /** A new notice stands in the book. `maskBefore`: version bits of the job before. */
  onNotice(offered: Exclude<Offered, "dropped">, maskBefore: number): void;
  readonly log: Log;
  readonly tally: Tally;
}

/** Jobmanagers whose last template's time is remembered, restarted ones included. */
const SOURCES_MAX = 64;
const SAY_EVERY_MS = 10_000;
/** L1. Of the second that a miner may wait; the reporter needs some of it. */
const LOOKUP_MS = 600;
const LOOKUP_AGAIN_MS = 50;
/** Who configured before the first job was offered every bit that our settings allow. */
const ANY_BITS = 0xffff_ffff;

export class InJobs implements Archive {
  readonly #joined = new Set<InstanceId>();
  readonly #lookups: Lookups;
  readonly #subscriptions: readonly Subscription[];
  readonly #unwatch: () => void;
  #instances: readonly Instance[] = [];
  readonly #templateAt = new Map<InstanceId, EpochMs>();
  #freshAtMs = performance.now();
  /** J6 */
  readonly #strangers = new Seldom(SAY_EVERY_MS);

  constructor(private readonly options: InJobsOptions) {
    this.#lookups = new Lookups({ find: (id) => options.book.find(id), load: (id) => this.#load(id) });
    this.#unwatch = options.jobmanager.watch((instances) => {
      this.#instances = instances;
    });
    const jobs = options.jobmanager.subscribe("job", {
      onMessage: (job, { instance }) => this.#take(job, instance.id),
      onJoin: ({ id }) => void this.#joined.add(id),
      onLeave: ({ id }) => this.#lost(id),
    });
    const pulses = options.jobmanager.subscribe("pulse", {
      onMessage: () => {
        this.#freshAtMs = performance.now();
      },
    });
    this.#subscriptions = [jobs, pulses];
  }

  /** When a coin daemon's newest answer arrived here; monotonic. C5 counts from it. */
  get freshAtMs(): number {
    return this.#freshAtMs;
  }

  /** A job that this instance never saw, or saw long ago. */
  lookup(id: JobId, connection: ConnectionId): Promise<KnownJob | undefined> {
    return this.#lookups.lookup(id, connection);
  }

  close(): void {
    for (const subscription of this.#subscriptions) subscription.close();
    this.#unwatch();
  }

  #take(job: Job, from: InstanceId): void {
    const { book, tally, log } = this.options;
    if (!this.#fits(job)) {
      tally.count("stratum.jobs", 1, ["as", "refused"]);
      log.error(
        { job: job.id, from, theirs: [job.extranonce1Size, job.extranonce2Size] },
        `a job is refused: its extranonce sizes are not ${this.options.settings.extranonce1Size} and ${this.options.settings.extranonce2Size}; give jobmanager and stratum the same`,
      );
      return;
    }
    if (this.#strange(job, from)) return;
    if (!this.#offer(job, from, this.#senior === from)) return;
    this.#freshen(job, from);
    if (!book.orphaned) return;
    const heir = book.heir(this.#instances.map(({ id }) => id).filter((id) => this.#joined.has(id))); // J4
    if (heir && heir.job !== book.current?.job) this.#offer(heir.job, heir.from, true);
  }

  /** J6 */
  #strange(job: Job, from: InstanceId): boolean {
    const { book, tally, log } = this.options;
    const senior = this.#senior;
    if (senior === undefined || senior === from) {
      for (const other of this.#joined) {
        const theirs = book.newestOf(other);
        if (other !== from && theirs && !sameChain(theirs, job)) book.leave(other); // It was here first, and is not the senior.
      }
      return false;
    }
    const right = book.newestOf(senior);
    if (!right || sameChain(right, job)) return false;
    tally.count("stratum.jobs", 1, ["as", "refused"]);
    const kept = this.#strangers.pass();
    if (kept !== undefined)
      log.error(
        { job: job.id, from, senior, unsaid: kept },
        `a job is refused: it is ${chainOf(job)}, and the senior jobmanager works on ${chainOf(right)}; give every jobmanager of a cluster the same coin and network, or this one another cluster`,
      );
    return true;
  }

  /** False: no work can be made of it, and it is no sign of life either. */
  #offer(job: Job, from: InstanceId, senior: boolean): boolean {
    const { book, tally, log } = this.options;
    const maskBefore = book.current?.job.versionMask ?? ANY_BITS;
    let offered: Offered;
    try {
      offered = book.offer(job, from, senior, performance.now());
    } catch (error) {
      tally.count("stratum.jobs", 1, ["as", "refused"]);
      log.error({ err: error, job: job.id, from }, "a job is refused: no work can be made of it");
      return false;
    }
    tally.count("stratum.jobs", 1, ["as", offered]);
    if (offered !== "dropped") this.options.onNotice(offered, maskBefore);
    return true;
  }

  get #senior(): InstanceId | undefined {
    return this.#instances.find(({ id }) => this.#joined.has(id))?.id;
  }

  /** J2 */
  #lost(jobmanager: InstanceId): void {
    const { book } = this.options;
    const before = this.#senior;
    this.#joined.delete(jobmanager);
    book.leave(jobmanager);
    const heir = this.#senior;
    const job = heir === undefined || heir === before ? undefined : book.newestOf(heir);
    // Only a refresh of the present tip: an heir that lags behind must not take anybody back.
    if (!job || job.clean || book.tip?.hash !== tipOf(job)) return;
    if (job.templateAt > (book.current?.job.templateAt ?? 0)) this.#offer(job, heir as InstanceId, true);
  }

  #fits({ extranonce1Size, extranonce2Size }: Job): boolean {
    const { settings } = this.options;
    return extranonce1Size === settings.extranonce1Size && extranonce2Size === settings.extranonce2Size;
  }

  /**
   * A snapshot may be as old as the daemon's silence: only a newer template counts as a sign of life. Newer than the last of the
   * same jobmanager: two machines' clocks cannot be compared.
   */
  #freshen({ templateAt }: Job, from: InstanceId): void {
    if (templateAt <= (this.#templateAt.get(from) ?? 0)) return;
    this.#templateAt.delete(from);
    this.#templateAt.set(from, templateAt);
    this.#freshAtMs = performance.now();
    for (const longest of this.#templateAt.keys()) {
      if (this.#templateAt.size <= SOURCES_MAX) break;
      this.#templateAt.delete(longest);
    }
  }

  async #load(id: JobId): Promise<KnownJob | undefined | "away"> {
    const { tally, log, book } = this.options;
    try {
      const bytes = await this.#ask(id);
      const stored = bytes && storedJob.safeParse(unpack(bytes));
      const job = stored?.success === true && stored.data.job.id === id ? stored.data.job : undefined;
      const current = book.current?.job;
      const found = job !== undefined && this.#fits(job) && (!current || sameChain(job, current));
      tally.count("stratum.lookups", 1, ["found", String(found)]);
      if (found) return book.remember(job);
    } catch (error) {
      log.warn({ err: error, job: id }, "an unknown job could not be looked up; its shares are refused as stale");
      return "away";
    }
    return undefined;
  }

  /** L1. @throws {Error} as shared state does, in the end. */
  async #ask(id: JobId): Promise<Uint8Array | undefined> {
    const untilMs = performance.now() + LOOKUP_MS;
    for (;;) {
      try {
        return await orLate(this.options.load(id), untilMs - performance.now());
      } catch (error) {
        if (performance.now() + LOOKUP_AGAIN_MS > untilMs) throw error;
        await delay(LOOKUP_AGAIN_MS);
      }
    }
  }
}

/** J6. Jobmanagers of an earlier version do not name the network. */
const sameChain = (one: Job, other: Job): boolean =>
  one.coin === other.coin &&
  (one.network === undefined || other.network === undefined || one.network === other.network);

const chainOf = ({ coin, network }: Job): string => (network === undefined ? coin : `${coin} ${network}`);
