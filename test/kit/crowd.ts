// crowd: miners that submit a share every so often, for tests that break something meanwhile. What they saw is judged in the end.
//
//   const crowd = await Crowd.start(pool, 10);
//   const worst = await crowd.during(async () => { ...break something... });      // ms, see Waits
//   await crowd.stop();     crowd.closed, crowd.refused, crowd.accepted

import { randomBytes } from "node:crypto";
import { monitorEventLoopDelay } from "node:perf_hooks";
import type { Work } from "../../demo/miner/client.js";
import { atEnd } from "./cleanup.js";
import { Miner } from "./pool.js";
import { until } from "./until.js";

export interface Waits {
  /** From a share to its answer, the longest of all miners; of shares that are not answered yet, so far. */
  readonly answerMs: number;
  /** Between two answers of one miner, the longest of all. An edge that is killed takes a few answers with it, for good. */
  readonly gapMs: number;
  /** Between two jobs at one miner, the longest of all. */
  readonly jobGapMs: number;
  /** How long this very process was not let run meanwhile: what the machine, not the pool, made everybody wait. */
  readonly machineMs: number;
}

const EVERY_MS = 50;

/** The waits that were too long: longer than `ms`, and than what the machine itself stood still. */
export const tooLong = (waits: readonly Waits[], ms: number, of: "answerMs" | "gapMs" = "answerMs") =>
  waits.filter((it) => it[of] > ms + it.machineMs);

class Rig {
  readonly asked = new Map<number, number>();
  accepted = 0;
  readonly refused: number[] = [];
  answerMs = 0;
  gapMs = 0;
  jobGapMs = 0;
  readonly jobs: Work[] = [];
  #next = 0;
  #answeredAtMs = performance.now();
  #jobAtMs = performance.now();
  #timer: NodeJS.Timeout | undefined;

  constructor(
    readonly miner: Miner,
    readonly everyMs: number,
  ) {
    miner.client.on("work", (work) => {
      this.jobs.push(work);
      this.look();
      this.#jobAtMs = performance.now();
    });
  }

  run(): void {
    this.#timer = setInterval(() => void this.#submit(), this.everyMs);
  }

  halt(): void {
    clearInterval(this.#timer);
  }

  reset(): void {
    this.answerMs = 0;
    this.gapMs = 0;
    this.jobGapMs = 0;
    this.#answeredAtMs = performance.now();
    this.#jobAtMs = performance.now();
  }

  /** Takes what is still waited for into account. */
  look(): void {
    const nowMs = performance.now();
    for (const askedAtMs of this.asked.values()) this.answerMs = Math.max(this.answerMs, nowMs - askedAtMs);
    this.gapMs = Math.max(this.gapMs, nowMs - this.#answeredAtMs);
    this.jobGapMs = Math.max(this.jobGapMs, nowMs - this.#jobAtMs);
  }

  async #submit(): Promise<void> {
    if (this.miner.client.closed) return;
    const share = await this.miner.find();
    const id = this.#next++;
    this.asked.set(id, performance.now());
    const answered = await this.miner.submit(share).catch(() => undefined);
    if (answered === undefined) return; // It stays in `asked`.
    this.look();
    this.#answeredAtMs = performance.now();
    this.asked.delete(id);
  }
}

export class Crowd {
  private constructor(
    /** How its workers' names begin. */
    readonly name: string,
    readonly rigs: readonly Rig[],
  ) {}

  static async start(pool: { readonly port: number }, count: number, everyMs = EVERY_MS): Promise<Crowd> {
    const name = `crowd${randomBytes(4).toString("hex")}`;
    const miners = await Promise.all(Array.from({ length: count }, (_, i) => Miner.start(pool, `${name}.${i}`)));
    const crowd = new Crowd(
      name,
      miners.map((miner) => new Rig(miner, everyMs)),
    );
    atEnd(() => crowd.halt());
    for (const rig of crowd.rigs) rig.run();
    await until("every miner was answered", 10_000, () => miners.every(({ accepted }) => accepted > 3));
    return crowd;
  }

  get miners(): readonly Miner[] {
    return this.rigs.map(({ miner }) => miner);
  }

  get accepted(): number {
    return this.miners.reduce((sum, { accepted }) => sum + accepted, 0);
  }

  get refused(): number[] {
    return this.miners.flatMap(({ refused }) => refused);
  }

  get closed(): number {
    return this.miners.filter(({ client }) => client.closed).length;
  }

  /** Shares that nobody has answered. */
  get unanswered(): number {
    return this.rigs.reduce((sum, { asked }) => sum + asked.size, 0);
  }

  /** The longest waits while `act` runs and until every miner was answered several times after it. */
  async during(act: () => Promise<unknown>): Promise<Waits> {
    for (const rig of this.rigs) rig.reset();
    const clock = monitorEventLoopDelay({ resolution: 10 });
    clock.enable();
    await act();
    const before = this.miners.map(({ accepted }) => accepted);
    await until("every miner goes on", 20_000, () =>
      this.miners.every(({ accepted }, i) => accepted > (before[i] ?? 0) + 3),
    );
    for (const rig of this.rigs) rig.look();
    clock.disable();
    const worst = (of: (rig: Rig) => number) => Math.round(Math.max(...this.rigs.map(of)));
    return {
      answerMs: worst(({ answerMs }) => answerMs),
      gapMs: worst(({ gapMs }) => gapMs),
      jobGapMs: worst(({ jobGapMs }) => jobGapMs),
      machineMs: Math.round(clock.max / 1e6),
    };
  }

  /** No more shares; resolves when all are answered (or `lost` of them never are). */
  async stop(lost = 0): Promise<void> {
    this.halt();
    await until("all shares are answered", 10_000, () => this.unanswered <= lost);
  }

  halt(): void {
    for (const rig of this.rigs) rig.halt();
  }
}
