// Good shares on their way into the log, and counts of refused ones.
//
//   verify -> record(share) -> a queue -> (a tick) -> reporter.recordShares -> outcome -> the miner's answer
//             reject(worker, reason) -> counts -> (every second) -> reporter.recordRejects
//
//   S1. `settle` is called only with what the reporter said. As long as no reporter can be reached the batch is sent again:
//       repeating is harmless, since a share's identity and line make it the same share.
//   R1. A share whose line was taken away (its connection moved to another instance) is not sent: that instance has the line.
//   R2. The queue is bounded by its reader: when `waiting` passes the setting, edges are told OVERLOADED (in-lines.ts).

import type { Claim, RejectReason, ReporterContract, Share, WorkerName } from "../../lib/contracts/index.js";
import { SHARES_MAX } from "../../lib/contracts/index.js";
import { type Client, type Log, WiringError } from "../../lib/wiring/index.js";
import { OutKnown } from "./out-known.js";
import { type Claimant, NO_WORKER, type Recorded, type Recorder } from "./ports.js";
import type { Tally } from "./tally.js";

/** Batches on their way at once: one would make every share wait for the batch before it. */
const IN_FLIGHT_MAX = 4;
/** A reporter records within milliseconds: one that takes this long may stand still, and another one is asked, too. */
const HEDGE_MS = 300;
const RETRY_FIRST_MS = 50;
const RETRY_MAX_MS = 1_000;
const REJECTS_EVERY_MS = 1_000;
/** (worker, reason) pairs counted between two calls; more are counted together under the worker "-". */
const REJECT_KEYS_MAX = SHARES_MAX - 8;

interface Entry {
  readonly share: Share;
  readonly hashesPerDifficulty: number;
  readonly claimant: Claimant;
  readonly settle: (outcome: Recorded) => void;
}

export class OutShares implements Recorder {
  #queue: Entry[] = [];
  #inFlight = 0;
  #sending = 0;
  #scheduled: NodeJS.Immediate | undefined;
  #retry: NodeJS.Timeout | undefined;
  #retryMs = RETRY_FIRST_MS;
  /** After a batch that the reporter found malformed: shares go one by one, so that only the bad one is refused. */
  #single = 0;
  #closed = false;
  #rejects = new Map<string, { worker: WorkerName; reason: RejectReason; count: number }>();
  readonly #rejectsTimer: NodeJS.Timeout;
  readonly #known: OutKnown;

  constructor(
    private readonly reporter: Pick<Client<ReporterContract>, "call">,
    private readonly log: Log,
    private readonly tally: Tally,
  ) {
    this.#known = new OutKnown(reporter, log);
    this.#rejectsTimer = setInterval(() => void this.sendRejects(), REJECTS_EVERY_MS);
  }

  /** Shares that have no outcome yet. */
  get waiting(): number {
    return this.#queue.length + this.#sending;
  }

  /** A callback, not a promise: there is one for every share. */
  record(share: Share, hashesPerDifficulty: number, claimant: Claimant, settle: Entry["settle"]): void {
    this.#queue.push({ share, hashesPerDifficulty, claimant, settle });
    this.#schedule();
  }

  known(claim: Claim): Promise<boolean> {
    return this.#known.known(claim);
  }

  reject(worker: WorkerName, reason: RejectReason): void {
    const crowded = this.#rejects.size >= REJECT_KEYS_MAX;
    const known = this.#rejects.get(`${worker} ${reason}`);
    if (known) known.count++;
    else if (crowded && worker !== NO_WORKER) this.reject(NO_WORKER, reason);
    else this.#rejects.set(`${worker} ${reason}`, { worker, reason, count: 1 });
  }

  /** A lost call loses counts, never money. */
  async sendRejects(): Promise<void> {
    if (this.#rejects.size === 0) return;
    const rejects = [...this.#rejects.values()];
    this.#rejects = new Map();
    try {
      await this.reporter.call("recordRejects", { rejects });
    } catch (error) {
      this.log.debug({ err: error, lost: rejects.length }, "counts of refused shares were lost: no reporter took them");
    }
  }

  close(): void {
    this.#closed = true;
    clearInterval(this.#rejectsTimer);
    clearTimeout(this.#retry);
    clearImmediate(this.#scheduled);
  }

  #schedule(): void {
    if (this.#closed || this.#retry || this.#inFlight >= IN_FLIGHT_MAX || this.#queue.length === 0) return;
    this.#scheduled ??= setImmediate(() => {
      this.#scheduled = undefined;
      void this.#send();
    });
  }

  async #send(): Promise<void> {
    const batch = this.#take();
    const [first] = batch;
    if (!first) return;
    this.#inFlight++;
    this.#sending += batch.length;
    const outcomes = await this.#ask(batch, first.hashesPerDifficulty);
    this.#inFlight--;
    this.#sending -= batch.length;
    if (outcomes) for (const [i, { settle }] of batch.entries()) this.#settle(settle, outcomes[i] ?? "refused");
    else this.#queue = [...batch, ...this.#queue]; // Its old place: order is kept.
    this.#schedule();
  }

  /** One share's exception keeps no other share's outcome back. */
  #settle(settle: Entry["settle"], outcome: Recorded): void {
    try {
      settle(outcome);
    } catch (error) {
      this.log.error({ err: error, outcome }, "a share's outcome could not be handled; the next ones are");
    }
  }

  /** Undefined: try again. */
  async #ask(batch: readonly Entry[], hashesPerDifficulty: number): Promise<readonly Recorded[] | undefined> {
    try {
      const shares = batch.map(({ share }) => share);
      const request = { shares, hashesPerDifficulty };
      const { outcomes } = await this.reporter.call("recordShares", request, { hedgeMs: HEDGE_MS });
      if (outcomes.length !== batch.length)
        throw new WiringError("INVALID_REPLY", `${outcomes.length} outcomes for ${batch.length} shares`);
      this.#retryMs = RETRY_FIRST_MS;
      this.#single = Math.max(0, this.#single - batch.length);
      return outcomes;
    } catch (error) {
      if (error instanceof WiringError && error.code === "INVALID_REQUEST") return this.#malformed(batch, error);
      this.#pause(error, batch.length);
      return undefined;
    }
  }

  #malformed(batch: readonly Entry[], error: WiringError): readonly Recorded[] | undefined {
    if (batch.length > 1) {
      this.#single = batch.length;
      return undefined;
    }
    this.#single = Math.max(0, this.#single - 1);
    this.log.error({ err: error, share: batch[0]?.share }, "the reporter finds a share malformed; it is refused");
    return ["refused"];
  }

  #pause(error: unknown, shares: number): void {
    if (this.#closed) return;
    this.tally.count("stratum.report_retries");
    this.log.warn({ err: error, shares, retryMs: this.#retryMs }, "shares wait: no reporter recorded them yet");
    clearTimeout(this.#retry);
    this.#retry = setTimeout(
      () => {
        this.#retry = undefined;
        this.#schedule();
      },
      this.#retryMs * (0.5 + Math.random() / 2),
    );
    this.#retryMs = Math.min(2 * this.#retryMs, RETRY_MAX_MS);
  }

  /** The next shares of one unit of work, without those that have another home (R1). */
  #take(): Entry[] {
    const staying: Entry[] = [];
    for (const entry of this.#queue) {
      if (entry.claimant.moved) this.#settle(entry.settle, "moved");
      else staying.push(entry);
    }
    const unit = staying[0]?.hashesPerDifficulty;
    const most = this.#single > 0 ? 1 : SHARES_MAX;
    let count = 0;
    while (count < most && staying[count]?.hashesPerDifficulty === unit && count < staying.length) count++;
    this.#queue = staying.slice(count);
    return staying.slice(0, count);
  }
}
