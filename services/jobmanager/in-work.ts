// Work comes in: the daemons, the foreman who picks from their templates, and the book of what he made.
//
//   settings.daemons -> in-daemon x n -> foreman -> onJob(job), then out-jobs

import { randomBytes } from "node:crypto";
import { type DaemonStatus, type EpochMs, type Job, type JobId, nowMs } from "../../lib/contracts/index.js";
import { type House, JobStore, type Log } from "../../lib/wiring/index.js";
import { type BlockBody, bodyOf, draftBlock } from "./block.js";
import { coinOf } from "./coins/index.js";
import { Foreman } from "./foreman.js";
import { Daemon } from "./in-daemon.js";
import { jobIds, makeJob, type Recipe } from "./job.js";
import { Jobs } from "./out-jobs.js";
import { payoutScript, type Settings } from "./settings.js";
import type { Template } from "./template.js";

export interface Parts {
  readonly house: House;
  readonly settings: Settings;
  readonly log: Log;
}

export class Work {
  readonly #recipe: Recipe;
  readonly #nextId = jobIds(randomBytes(4).readUInt32BE());
  readonly #jobs: Jobs;
  readonly #foreman: Foreman;
  #daemons: readonly Daemon[] = [];
  #leads = false;

  /** Nothing happens before start(). */
  constructor(
    private readonly parts: Parts,
    private readonly onJob: (job: Job) => void,
    /** Some daemon has answered. */
    private readonly onAnswer: () => void,
  ) {
    const { house, settings, log } = parts;
    this.#recipe = recipeOf(settings);
    this.#jobs = new Jobs({
      store: new JobStore(house.redis.state, house.cluster),
      ttlMs: settings.jobTtlMs,
      onSaveFailed: (job, reason) => {
        house.metrics.count("jobmanager.bodies.failures");
        log.warn({ job, reason }, "job not saved: other jobmanagers cannot complete its blocks");
      },
      onLoadFailed: (job, reason) =>
        log.error({ job, reason }, "shared state gave no body for a job whose block was found"),
    });
    this.#foreman = new Foreman({
      daemons: settings.daemons.length,
      refreshMs: settings.refreshMs,
      steadyMs: settings.steadyMs,
      fetch: (index) => this.#daemons[index]?.fetch() ?? Promise.reject(new Error(`there is no daemon ${index}`)),
      makeJob: (template, clean, templateAt) =>
        makeJob(template, this.#recipe, { id: this.#nextId(), clean, templateAt }),
      publish: (job, template) => this.#publish(job, template),
      onRefreshFailed: (reason) => log.warn({ reason }, "no new transactions for this tip: trying again"),
    });
  }

  /** In configured order. */
  get daemons(): readonly Daemon[] {
    return this.#daemons;
  }

  /** The one that work comes from, then the other live ones, then the rest. */
  byTrust(): readonly Daemon[] {
    const inUse = this.#foreman.inUse;
    const rank = (daemon: Daemon, index: number): number => (daemon.live ? (index === inUse ? 0 : 1) : 2);
    return this.#daemons
      .map((daemon, index) => ({ daemon, rank: rank(daemon, index) }))
      .sort((a, b) => a.rank - b.rank)
      .map(({ daemon }) => daemon);
  }

  status(): DaemonStatus[] {
    return this.#daemons.map((daemon) => daemon.status());
  }

  /** The senior jobmanager has the daemons' long polls; juniors ask for the tip, which holds no thread of theirs. */
  lead(leads: boolean): void {
    this.#leads = leads;
    for (const daemon of this.#daemons) daemon.lead(leads);
  }

  /** Somebody was told of a new tip: every daemon is asked. */
  poke(): void {
    for (const daemon of this.#daemons) daemon.poke();
  }

  bodyOf(id: JobId): Promise<BlockBody | undefined> {
    return this.#jobs.bodyOf(id);
  }

  start(): void {
    const { settings, house, log } = this.parts;
    this.#daemons = settings.daemons.map((daemon, index) =>
      Daemon.open(daemon, {
        coin: this.#recipe.coin,
        pace: settings,
        draft: (template) => this.#draft(template),
        log,
        metrics: house.metrics,
        events: {
          onTemplate: (template: Template, at: EpochMs) => this.#foreman.onTemplate(index, template, at),
          onState: (live) => this.#foreman.onLive(index, live),
          onAnswer: this.onAnswer,
        },
      }),
    );
    this.lead(this.#leads);
  }

  /** No more jobs; the daemons stay for blocks. */
  stop(): void {
    this.#foreman.close();
  }

  /** Safe twice. */
  async close(): Promise<void> {
    this.stop();
    await Promise.all(this.#daemons.map((daemon) => daemon.close()));
  }

  /** A block as a miner would complete it, but for the work. */
  #draft(template: Template): Uint8Array {
    const job = makeJob(template, this.#recipe, { id: this.#nextId(), clean: true, templateAt: nowMs() });
    return draftBlock(job, bodyOf(template));
  }

  #publish(job: Job, template: Template): void {
    const begun = performance.now();
    this.onJob(job);
    this.#jobs.keep(job, template);
    const { metrics } = this.parts.house;
    metrics.timing("jobmanager.job.push", performance.now() - begun);
    metrics.count("jobmanager.jobs", 1, { reason: job.clean ? "tip" : "refresh" });
    metrics.gauge("jobmanager.height", job.height);
    const transactions = template.transactions.length;
    this.parts.log.debug({ job: job.id, height: job.height, clean: job.clean, transactions }, "new job");
  }
}

const recipeOf = (settings: Settings): Recipe => ({
  coin: coinOf(settings.coin, settings.network),
  payoutScript: payoutScript(settings),
  tag: Buffer.from(settings.tag, "latin1"),
  extranonce1Size: settings.extranonce1Size,
  extranonce2Size: settings.extranonce2Size,
  versionMask: settings.versionMask,
});
