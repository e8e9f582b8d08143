// Recording: into Redis, or into the spool while Redis does not take it. Pure but for its timers.
//
//   direct --Redis failed, or said nothing for patienceMs--> spooling --everything flushed--> handover --> direct
//                                                               ^------- Redis failed again --------'
//
//   C1. What is answered stands in Redis or on disk. With neither, the call fails as UNAVAILABLE and nothing is answered.
//   C2. Once the spool is in use everything goes through it until it is empty, so the log has the order in which shares came. The
//       last chunk is flushed while new calls wait for it (handover), or a busy pool would never get back.
//       While Redis works off the spool, calls are taken half as fast as it does: a spool that grows faster than it is flushed
//       would never end. (Redis records tens of thousands a second, so only a flood of shares notices.) A Redis that stops answering
//       meanwhile holds nobody up: after patienceMs calls are spooled as fast as they come.
//   C3. A call that Redis failed, or was too slow for, may have run: it is spooled all the same, with the turn that it had, and found
//       `redelivered` when it is flushed: by that turn if it was the last one that Redis took, else by its identities and lines.
//   C4. Redis may have lost its last moments when it comes back: of what it had taken shortly before, shares and blocks, it is given again
//       first what its last turn says that it lacks, in order (turns.ts; Turn in ports.ts), and nothing that it has. So what was answered
//       survives a Redis that is killed between two syncs of its disk, or failed over, and counts once however long ago it was. Several
//       reporters do this side by side: a share that one gives again may come before the block that another one gives again, as in C2.
//   C5. Without a spool, failures of Redis are the caller's.

import type { ShareOutcome } from "../../lib/contracts/index.js";
import { type Log, type Metrics, WiringError } from "../../lib/wiring/index.js";
import type { Backlog, BlockOutcome, BlockReport, Chunk, CreditedShare, Ledger, SpoolRecord, Turn } from "./ports.js";
import { type Signal, signal } from "./signal.js";
import { sortOut } from "./sort-out.js";
import { Trouble, within } from "./trouble.js";
import { Turns } from "./turns.js";

export interface RecordingOptions {
  readonly ledger: Ledger;
  readonly spool: Backlog | undefined;
  /** A Redis that has not answered after this counts as away, if there is a spool. */
  readonly patienceMs: number;
  readonly log: Log;
  readonly metrics: Metrics;
  /** Shares that now stand in the log; after the fact, never waits. */
  onRecorded(shares: readonly CreditedShare[]): void;
  onBlock(report: BlockReport, outcome: BlockOutcome): void;
}

/** direct: the spool is empty. spooling: everything goes to disk. handover: new calls wait for the last chunk. */
type Mode =
  | { readonly kind: "direct" }
  | { readonly kind: "spooling"; readonly sinceMs: number }
  | { readonly kind: "handover"; readonly sinceMs: number; readonly over: Signal };

/** Shares of one flush: as many as one batch of direct calls (batch.ts), during which Redis does nothing else. */
const FLUSH_MAX = 1_024;
const RETRY_FIRST_MS = 50;
/** Redis is used again within a second of its return. */
const RETRY_MAX_MS = 1_000;

export class Recording {
  #mode: Mode = { kind: "direct" };
  #flushing: Promise<void> | undefined;
  #wake: (() => void) | undefined;
  #writing = 0;
  #chunk: Promise<unknown> = Promise.resolve();
  /** Shares that may be spooled now: no end while Redis is away (C2). */
  #allowance = Number.POSITIVE_INFINITY;
  #progress = signal();
  readonly #turns: Turns;
  /** Redis may have lost what it had (C4). */
  #doubt = false;
  #closed = false;
  readonly #trouble: Trouble;

  constructor(private readonly options: RecordingOptions) {
    this.#trouble = new Trouble(options.log, options.metrics);
    this.#turns = new Turns(options);
    if (options.spool && options.spool.length > 0) this.#spool(0);
  }

  get mode(): Mode["kind"] {
    return this.#mode.kind;
  }

  /** Why Redis does not take shares; undefined: it does. */
  get trouble(): string | undefined {
    return this.#trouble.text;
  }

  /** Something appeared in the spool that is not ours: it is flushed. */
  found(): void {
    if (this.#mode.kind === "direct" && !this.#closed) this.#spool(0);
  }

  /** The connection to Redis broke: whoever answers next may know less. */
  lost(): void {
    if (this.#closed || !this.options.spool) return;
    this.#doubt = true;
    if (this.#mode.kind !== "direct") return;
    this.#trouble.report(new WiringError("UNAVAILABLE", "the connection to Redis for shares was lost"));
    this.#spool(RETRY_FIRST_MS);
  }

  /** One call at a time. @throws {WiringError} UNAVAILABLE, C1. @throws what Redis said, C5. */
  async shares(credited: readonly CreditedShare[]): Promise<ShareOutcome[]> {
    let given: Turn | undefined;
    for (;;) {
      const direct = await this.#direct((turn) => this.options.ledger.record(credited, turn));
      given = direct.turn ?? given;
      if (!("value" in direct) && this.#allowance > 0) return this.#keepShares(credited, given);
      if (!("value" in direct)) {
        await this.#progress.heard;
        continue;
      }
      this.#stands(credited, direct.value, direct.turn);
      return direct.value;
    }
  }

  /** @returns undefined when it is spooled: its round is known later. @throws as shares(). */
  async block(report: BlockReport): Promise<BlockOutcome | undefined> {
    const direct = await this.#direct((turn) => this.options.ledger.block(report, turn));
    if (!("value" in direct)) {
      await this.#keep({ kind: "block", block: report });
      return undefined;
    }
    this.#turns.stands({ kind: "block", block: report }, direct.turn);
    this.options.onBlock(report, direct.value);
    return direct.value;
  }

  /** Resolves when everything is flushed, or after timeoutMs; at once while Redis takes nothing: the next reporter flushes it. */
  async drain(timeoutMs: number): Promise<void> {
    if (this.trouble !== undefined) return;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, timeoutMs);
    });
    await Promise.race([this.#flushing, late]);
    clearTimeout(timer);
  }

  /** Ends the flushing after the chunk under way. Safe twice. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#wake?.();
    await this.#flushing;
  }

  /** Without a value: to be spooled; with the turn that it had, if any. */
  async #direct<T>(
    attempt: (turn?: Turn) => Promise<T>,
  ): Promise<{ readonly value: T; readonly turn?: Turn } | { readonly turn?: Turn }> {
    while (this.#mode.kind === "handover") await this.#mode.over.heard;
    if (this.#mode.kind === "spooling") return {};
    const { spool, patienceMs } = this.options;
    if (!spool) return { value: await attempt() }; // C5
    const turn = this.#turns.next();
    try {
      return { value: await within(patienceMs, attempt(turn)), turn };
    } catch (error) {
      this.#trouble.report(error);
      this.#doubt = true;
      if (!this.#closed && this.mode === "direct") this.#spool(RETRY_FIRST_MS);
      return { turn };
    }
  }

  async #keepShares(credited: readonly CreditedShare[], turn?: Turn): Promise<ShareOutcome[]> {
    const { spool, ledger } = this.options;
    const { outcomes, fresh } = sortOut(
      credited,
      (identity) => spool?.claimOf(identity),
      (identity) => this.#turns.claimOf(identity),
    );
    this.#allowance -= fresh.length;
    const given = turn && { process: ledger.process, turn: turn.number };
    if (fresh.length > 0) await this.#keep({ kind: "shares", shares: fresh, ...(given && { given }) });
    return outcomes;
  }

  async #keep(record: SpoolRecord): Promise<void> {
    const { spool } = this.options;
    if (!spool) throw new WiringError("UNAVAILABLE", "there is no spool");
    this.#writing += 1;
    try {
      await spool.append(record);
    } finally {
      this.#writing -= 1;
    }
    this.found(); // Redis may have been back in the very moment in which this went to the disk.
  }

  /** @param afterMs When Redis has just failed it is not asked again at once. */
  #spool(afterMs: number): void {
    this.#mode = { kind: "spooling", sinceMs: performance.now() };
    this.#flushing ??= this.#flushUntilEmpty(afterMs).finally(() => {
      this.#flushing = undefined;
    });
  }

  async #flushUntilEmpty(afterMs: number): Promise<void> {
    let retryMs = RETRY_FIRST_MS;
    if (afterMs > 0) await this.#pause(afterMs);
    while (!this.#closed) {
      try {
        if (await this.#flush()) break;
        retryMs = RETRY_FIRST_MS;
      } catch (error) {
        this.#trouble.report(error);
        this.#allow(Number.POSITIVE_INFINITY);
        await this.#pause(retryMs * (0.5 + Math.random() / 2));
        retryMs = Math.min(2 * retryMs, RETRY_MAX_MS);
      }
    }
    this.#allow(Number.POSITIVE_INFINITY);
  }

  #allow(shares: number): void {
    this.#allowance = shares;
    this.#progress.say();
    this.#progress = signal();
  }

  /** One chunk; when Redis was quick about it and little is left, the rest (C2). True: the spool is no longer in use. */
  async #flush(): Promise<boolean> {
    const { spool, patienceMs } = this.options;
    if (!spool || this.#mode.kind !== "spooling") return true;
    if (this.#doubt) {
      this.#allow(Number.POSITIVE_INFINITY); // Nobody knows whether it answers.
      await this.#chunk;
      await this.#restore();
    }
    const begun = performance.now();
    await this.#flushChunk(spool);
    if (performance.now() - begun > patienceMs || spool.length > FLUSH_MAX) return false;
    const { sinceMs } = this.#mode;
    const over = signal();
    this.#mode = { kind: "handover", sinceMs, over };
    try {
      while (spool.length > 0 || this.#writing > 0) {
        const flushed = await within(patienceMs, this.#flushChunk(spool));
        if (!flushed) await this.#pause(1); // A write is on its way to the disk.
      }
      if (this.#doubt) throw new WiringError("UNAVAILABLE", "the connection to Redis for shares was lost again");
      this.#mode = { kind: "direct" };
      this.#trouble.over(performance.now() - sinceMs);
      return true;
    } catch (error) {
      this.#mode = { kind: "spooling", sinceMs };
      throw error;
    } finally {
      over.say();
    }
  }

  /** One at a time: a handover that lost its patience leaves one under way. */
  #flushChunk(spool: Backlog): Promise<boolean> {
    const flushed = this.#chunk.then(() => this.#flushOne(spool));
    this.#chunk = flushed.catch(() => {});
    return flushed;
  }

  /** C4. @throws {Error} Redis'; what it still lacks is given again then. */
  async #restore(): Promise<void> {
    this.#doubt = false;
    try {
      await this.#turns.restore();
    } catch (error) {
      this.#doubt = true;
      throw error;
    }
  }

  #stands(shares: readonly CreditedShare[], outcomes: readonly ShareOutcome[], turn: Turn | undefined): void {
    const theirs = shares.filter((_, i) => outcomes[i] !== "duplicate");
    if (theirs.length > 0) this.#turns.stands({ kind: "shares", shares: theirs }, turn);
    this.options.onRecorded(shares.filter((_, i) => outcomes[i] === "recorded"));
  }

  /** False: there was none. @throws {Error} Redis', or the disk's; the chunk stays. */
  async #flushOne(spool: Backlog): Promise<boolean> {
    const chunk = await spool.next(FLUSH_MAX);
    if (!chunk) return false;
    const silence = setTimeout(() => this.#allow(Number.POSITIVE_INFINITY), this.options.patienceMs); // C2
    try {
      if (chunk.kind === "block") await this.#flushBlock(spool, chunk);
      else await this.#flushShares(spool, chunk);
    } catch (error) {
      this.#doubt = true; // Nobody knows which turn it has.
      throw error;
    } finally {
      clearTimeout(silence);
    }
    return true;
  }

  async #flushBlock(spool: Backlog, chunk: Extract<Chunk, { kind: "block" }>): Promise<void> {
    const { ledger, onBlock } = this.options;
    const turn = this.#turns.next();
    const outcome = await ledger.block(chunk.block, turn);
    this.#turns.stands(chunk, turn);
    await spool.done(chunk);
    onBlock(chunk.block, outcome);
  }

  async #flushShares(spool: Backlog, chunk: Extract<Chunk, { kind: "shares" }>): Promise<void> {
    const { ledger, metrics } = this.options;
    const { shares, mark, given } = chunk;
    const turn = this.#turns.next();
    const outcomes = await ledger.record(shares, turn, mark, given);
    this.#stands(shares, outcomes, turn);
    await spool.done(chunk);
    const left = Number.isFinite(this.#allowance) ? this.#allowance : 0;
    this.#allow(Math.min(left + shares.length / 2, FLUSH_MAX)); // C2
    const tally = { recorded: 0, redelivered: 0, duplicate: 0, refused: 0 };
    for (const outcome of outcomes) tally[outcome] += 1;
    for (const outcome of ["recorded", "redelivered"] as const)
      if (tally[outcome] > 0) metrics.count("reporter.spool.flushed", tally[outcome], { outcome });
    if (tally.duplicate > 0) metrics.count("reporter.spool.late_duplicates", tally.duplicate);
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
