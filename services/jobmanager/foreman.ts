// The foreman: decides when there is new work.
//
//   daemons --template, state--> Foreman --choose--> makeJob --publish(job, template)--> whoever pushes and keeps it
//
//   W1. A new tip is a job at once, with `clean`. Other templates wait for the refresh.
//   W2. Every refreshMs without a new tip there is a job with the latest transactions, from whichever daemon then leads.
//   W3. No job is made while no daemon is live: miners must be able to see that there is no work.

import type { EpochMs, Job } from "../../lib/contracts/index.js";
import { type Choice, choose, type View } from "./daemons.js";
import { messageOf } from "./reason.js";
import type { Template } from "./template.js";

/** When the leading daemon failed at a refresh: time enough for its failure to be noticed and the next one to lead. */
const REFRESH_RETRY_MS = 250;

export interface ForemanDeps {
  /** How many daemons there are. */
  readonly daemons: number;
  readonly refreshMs: number;
  readonly steadyMs: number;
  /** A template as of now from daemon number `index`. */
  fetch(index: number): Promise<Template>;
  makeJob(template: Template, clean: boolean, at: EpochMs): Job;
  publish(job: Job, template: Template): void;
  /** The refresh could not be had. */
  onRefreshFailed(reason: string): void;
}

interface Seen extends View {
  readonly template: Template | undefined;
  readonly templateAt: EpochMs;
}

const UNSEEN: Seen = {
  liveSinceMs: undefined,
  tip: undefined,
  tipAtMs: 0,
  template: undefined,
  templateAt: 0 as EpochMs,
};

export class Foreman {
  readonly #seen: Seen[];
  #inUse: Choice | undefined;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(private readonly deps: ForemanDeps) {
    this.#seen = Array.from({ length: deps.daemons }, () => UNSEEN);
  }

  /** Number of the daemon that work comes from. */
  get inUse(): number | undefined {
    return this.#inUse?.index;
  }

  onTemplate(index: number, template: Template, at: EpochMs): void {
    const seen = this.#seen[index] ?? UNSEEN;
    const sameTip = seen.tip?.previousHash === template.previousblockhash;
    this.#seen[index] = {
      ...seen,
      tip: { previousHash: template.previousblockhash, height: template.height },
      tipAtMs: sameTip ? seen.tipAtMs : performance.now(),
      template,
      templateAt: at,
    };
    this.#decide();
  }

  onLive(index: number, live: boolean): void {
    const seen = this.#seen[index] ?? UNSEEN;
    if (live === (seen.liveSinceMs !== undefined)) return;
    this.#seen[index] = live
      ? { ...seen, liveSinceMs: performance.now() }
      : { ...seen, liveSinceMs: undefined, tip: undefined }; // What it last said is worth nothing once it is back.
    this.#decide();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  #decide(): void {
    if (this.#closed) return;
    const choice = this.#choose();
    if (!choice) return; // W3. The tip stays in mind: a daemon that comes back with it brings no new tip.
    const newTip = choice.tip.previousHash !== this.#inUse?.tip.previousHash;
    this.#inUse = choice;
    if (newTip) this.#make(choice.index, true); // W1
  }

  #choose(): Choice | undefined {
    return choose(this.#seen, this.#inUse, performance.now(), this.deps.steadyMs);
  }

  #make(index: number, clean: boolean): void {
    const seen = this.#seen[index];
    if (!seen?.template) return;
    this.#arm(this.deps.refreshMs);
    this.deps.publish(this.deps.makeJob(seen.template, clean, seen.templateAt), seen.template);
  }

  #arm(ms: number): void {
    clearTimeout(this.#timer);
    if (!this.#closed) this.#timer = setTimeout(() => void this.#refresh(), ms);
  }

  /** W2. A new tip that comes with the fetch, or meanwhile, has made its own job and armed the timer anew. */
  async #refresh(): Promise<void> {
    const choice = this.#choose();
    if (!choice) return this.#arm(REFRESH_RETRY_MS);
    const timer = this.#timer;
    try {
      await this.deps.fetch(choice.index);
      if (timer === this.#timer && !this.#closed) this.#make(choice.index, false);
    } catch (error) {
      this.deps.onRefreshFailed(messageOf(error));
      if (timer === this.#timer) this.#arm(REFRESH_RETRY_MS);
    }
  }
}
