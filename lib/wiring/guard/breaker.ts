// Circuit breaker: stops asking an instance that takes requests and never answers them.
//
//   closed --5 timeouts in a row--> open --pause--> half open (one call) --reply--> closed
//          --outrun------------->     ^------------- timeout ------------'
//
// A dead process is the link's business, a refusal (OVERLOADED, DRAINING) is an answer, an error of the handler is an
// answer too. What is left is silence: only TIMEOUT counts, and being outrun by an instance that was asked later
// (hedge.ts). While open, calls go to other instances; when all are open they fail with BROKEN and are tried again within
// their budget.
//
// Cockatiel counts; its policies themselves wrap every call in an async function, which costs more than a call.

import { ConsecutiveBreaker, ExponentialBackoff, type IBackoff } from "cockatiel";

/** Silence may be bad luck once or twice; five times in a row it is a state. */
const TIMEOUTS_TO_OPEN = 5;
/** First pause; it doubles with each probe that fails. */
const PAUSE_MS = 250;
/** An instance that recovers is used again within this time. */
const PAUSE_MAX_MS = 5_000;

const PAUSES = new ExponentialBackoff({ initialDelay: PAUSE_MS, maxDelay: PAUSE_MAX_MS });

export class Breaker {
  #timeouts = new ConsecutiveBreaker(TIMEOUTS_TO_OPEN);
  #pause: IBackoff<unknown> | undefined;
  /** Closed: 0. */
  #openUntilMs = 0;
  #probing = false;

  get open(): boolean {
    return this.#openUntilMs !== 0;
  }

  /** May a call begin now? A closed breaker does not even look at the clock. */
  allows(nowMs: number): boolean {
    if (this.#openUntilMs === 0) return true;
    return nowMs >= this.#openUntilMs && !this.#probing;
  }

  /** When allows() may become true; 0 when closed. */
  get openUntilMs(): number {
    return this.#openUntilMs;
  }

  /** A call begins: in the half-open state it is the probe. */
  begun(): void {
    if (this.#openUntilMs !== 0) this.#probing = true;
  }

  /** The instance answered, whatever the answer was. */
  answered(): void {
    if (this.#openUntilMs === 0) {
      this.#timeouts.success();
      return;
    }
    this.#openUntilMs = 0;
    this.#probing = false;
    this.#pause = undefined;
    this.#timeouts = new ConsecutiveBreaker(TIMEOUTS_TO_OPEN);
  }

  /** A call ended without an answer and without blame: cancelled, or never sent. */
  ended(): void {
    this.#probing = false;
  }

  /** It was asked, and another one, asked later, answered before it. */
  outrun(nowMs: number): void {
    if (this.#openUntilMs !== 0) return;
    this.#pause = PAUSES.next();
    this.#openUntilMs = nowMs + this.#pause.duration;
  }

  timedOut(nowMs: number): void {
    const probe = this.#probing;
    this.#probing = false;
    if (!this.#timeouts.failure() && !probe) return;
    if (this.#openUntilMs !== 0 && !probe) return; // Calls from before it opened.
    this.#pause = this.#pause ? this.#pause.next(undefined) : PAUSES.next();
    this.#openUntilMs = nowMs + this.#pause.duration;
  }
}
