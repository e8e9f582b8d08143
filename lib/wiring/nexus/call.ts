// Call: one request of one caller, from the moment it is made until its promise is settled.
//
//   waiting for an instance <--> begun at a target --> settled
//           (parked, backing off)   (queued, then sent)
//
//   K1. A call is settled once; whatever comes later (a late reply, a second failure) is ignored.
//   K2. The error that the caller sees never claims `sent: false` when an earlier attempt may have run.
//
// It is its own deadline (a node of the timer wheel), so a call in flight is one object and its promise.

import type { WiringError } from "../errors.js";
import { Timed } from "../rpc/timer-wheel.js";
import { CallFailure } from "./failure.js";
import type { CallOptions } from "./nexus.js";
import type { NamedMethod, Target } from "./target.js";

/** Who decides what follows when an attempt ends (dispatch.ts). */
export interface CallKeeper {
  /** The call has its result: forget it. */
  finished(call: Call): void;
  /** An attempt failed: another one, or the end? */
  attemptFailed(call: Call, failure: CallFailure): void;
}

const NO_OPTIONS: CallOptions = {};
const nothing = (): void => {};

export class Call extends Timed {
  readonly promise: Promise<unknown>;
  readonly options: CallOptions;
  /** Where the running attempt is; undefined between attempts. */
  target: Target | undefined;
  /** The attempt's number on its link; 0: not sent yet. */
  id = 0;
  /** True once the running attempt may have reached its target. */
  sent = false;
  /** What time it is, while the call is being made: one look at the clock for its deadline and its budget. Otherwise 0. */
  justMadeMs = 0;
  /** Its neighbours among its client's calls. Kept by dispatch. */
  before: Call | undefined;
  after: Call | undefined;
  /** True once a reply has settled it. */
  replied = false;
  /** What the caller got instead of a reply. */
  failedWith: CallFailure | undefined;
  /** Attempts begun so far. */
  tries = 0;
  /** Where the last attempt failed: the next one prefers another. */
  avoid: Target | undefined;
  /** Stops the wait for the next attempt. */
  stopWaiting: (() => void) | undefined;
  /** The first failure after which the far side may have run the call (K2). */
  #mayHaveRun: CallFailure | undefined;
  #lastFailure: CallFailure | undefined;
  #settled = false;
  #resolve: (value: unknown) => void = nothing;
  #reject: (error: WiringError) => void = nothing;

  constructor(
    readonly keeper: CallKeeper,
    readonly service: string,
    readonly method: NamedMethod,
    readonly request: unknown,
    deadlineMs: number,
    options: CallOptions | undefined,
  ) {
    super(deadlineMs);
    this.options = options ?? NO_OPTIONS;
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  get settled(): boolean {
    return this.#settled;
  }

  succeed(reply: unknown): void {
    if (this.#settled) return; // K1
    this.#settled = true;
    this.replied = true;
    this.keeper.finished(this);
    this.#resolve(reply);
  }

  /** The running attempt failed. */
  fail(failure: CallFailure): void {
    if (this.#settled) return; // K1
    if (failure.code !== "EXPIRED") this.#lastFailure = failure; // That the last try came too late says less than why it was needed.
    if (failure.sent) this.#mayHaveRun ??= failure;
    this.keeper.attemptFailed(this, failure);
  }

  /** The end, with this failure or the one that says that the call may have run (K2). */
  reject(failure: CallFailure): void {
    if (this.#settled) return;
    this.#settled = true;
    const why = failure.code === "EXPIRED" ? (this.#lastFailure ?? failure) : failure;
    this.failedWith = why.sent ? why : (this.#mayHaveRun ?? why);
    this.keeper.finished(this);
    this.#reject(this.failedWith);
  }

  override expire(): void {
    this.reject(this.overdue());
  }

  /** The caller does not want the reply any more. */
  cancel(reason: string): void {
    this.reject(new CallFailure("CANCELLED", `${this}: ${reason}`));
  }

  /** Our side closes under the call. */
  abandon(): void {
    if (this.sent) this.cancel("the client was closed while the call was in flight; the far side may have run it");
    else this.reject(new CallFailure("CLOSED", `${this}: the client was closed before the request was sent`));
  }

  /** What it means that the deadline passes now. */
  overdue(): CallFailure {
    const where = this.target ? ` from ${this.target.instance.id}` : "";
    if (this.sent) return new CallFailure("TIMEOUT", `${this}: no reply${where} within the call's budget`);
    if (this.target)
      return new CallFailure("EXPIRED", `${this}: the budget ended with the request still queued${where}`);
    return this.#lastFailure ?? new CallFailure("EXPIRED", `${this}: the call had no budget`);
  }

  override toString(): string {
    return `${this.service}.${this.method.name}`;
  }
}
