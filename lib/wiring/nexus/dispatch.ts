// Dispatch: takes a client's calls to targets and decides what follows when an attempt fails.
//
//   call -> limit -> choose a target (balance, breaker) -> target.begin
//             ^            |none, or the attempt failed
//             |            v
//             '------ retry plan: elsewhere | after a pause | when the roster changes | never -> the caller
//
// One per client. The policies themselves are in guard/.

import type { Clock } from "../clock.js";
import { leastOutstanding } from "../guard/balance.js";
import type { Limit } from "../guard/limit.js";
import { type RetryPlan, retryPlan } from "../guard/retry.js";
import type { TimerWheel } from "../rpc/timer-wheel.js";
import type { Call, CallKeeper } from "./call.js";
import { CallFailure } from "./failure.js";
import type { Roster } from "./roster.js";
import type { Tally } from "./tally.js";
import type { Target } from "./target.js";

export interface DispatchParts {
  readonly roster: Roster;
  readonly clock: Clock;
  readonly wheel: TimerWheel;
  readonly limit: Limit;
  readonly tally: Tally;
}

export class Dispatch implements CallKeeper {
  readonly #parts: DispatchParts;
  /** The youngest call under way; the others follow by `before`. A list through the calls themselves: every call enters and leaves it. */
  #youngest: Call | undefined;
  readonly #parked = new Set<Call>();
  readonly #unlisten: () => void;
  readonly #ok: (by: number) => void;
  #turn = 0;

  constructor(parts: DispatchParts) {
    this.#parts = parts;
    this.#ok = parts.tally.counter("wiring.calls", { service: parts.roster.service, outcome: "ok" });
    this.#unlisten = parts.roster.listen({ changed: () => this.#unpark() });
  }

  /** @param failed A first attempt has been made by the caller of start, and failed so. */
  start(call: Call, failed?: CallFailure): void {
    const { limit, wheel } = this.#parts;
    if (!limit.take()) {
      const text = `${call}: ${limit.max} calls are under way already; wait for some before making more`;
      call.reject(new CallFailure("OVERLOADED", text));
      return;
    }
    this.#enter(call);
    wheel.add(call);
    if (failed) call.fail(failed);
    else this.#attempt(call);
  }

  /** A call whose first attempt runs at `target` already (local.ts). */
  adopt(call: Call, target: Target): void {
    const { limit, wheel } = this.#parts;
    limit.add();
    this.#enter(call);
    wheel.add(call);
    this.#begin(call, target);
  }

  /** A call that ended within itself (local.ts). */
  counted(): void {
    this.#ok(1);
  }

  /** Nothing goes out any more; what is under way is settled. */
  close(): void {
    this.#unlisten();
    const calls: Call[] = [];
    for (let call = this.#youngest; call; call = call.before) calls.unshift(call);
    for (const call of calls) call.abandon();
  }

  #enter(call: Call): void {
    call.before = this.#youngest;
    if (this.#youngest) this.#youngest.after = call;
    this.#youngest = call;
  }

  /** False: it was not in, or is out already. */
  #left(call: Call): boolean {
    const { before, after } = call;
    if (after === undefined && this.#youngest !== call) return false;
    if (after) after.before = before;
    else this.#youngest = before;
    if (before) before.after = after;
    call.before = undefined;
    call.after = undefined;
    return true;
  }

  finished(call: Call): void {
    if (!this.#left(call)) return;
    const { limit, wheel, tally } = this.#parts;
    limit.give();
    wheel.remove(call);
    call.stopWaiting?.();
    if (this.#parked.size > 0) this.#parked.delete(call);
    if (call.replied) this.#ok(1);
    else tally.count("wiring.calls", { service: call.service, outcome: call.failedWith?.code ?? "ok" });
    const target = call.target;
    if (target) this.#leave(call, target);
  }

  attemptFailed(call: Call, failure: CallFailure): void {
    const target = call.target;
    if (target) {
      target.outstanding -= 1;
      call.target = undefined;
      call.avoid = target;
      if (failure.code === "DRAINING") {
        target.refusing();
        this.#parts.roster.changed();
      }
      // A link that died says nothing about the instance's will to answer; anything else is an answer.
      if (failure.code === "DISCONNECTED") target.breaker.ended();
      else target.breaker.answered();
    }
    call.sent = false;
    const callable = this.#parts.roster.callable.length;
    const { idempotent } = call.method.spec;
    this.#follow(
      call,
      failure,
      retryPlan({ failure, idempotent, pinned: call.options.to !== undefined, tries: call.tries, callable }),
    );
  }

  #follow(call: Call, failure: CallFailure, plan: RetryPlan): void {
    if (plan.kind === "never") {
      call.reject(failure);
      return;
    }
    this.#parts.tally.retried(call, failure);
    if (plan.kind === "elsewhere") this.#attempt(call);
    else if (plan.kind === "on-change") this.#parked.add(call);
    else this.#attemptAfter(call, plan.delayMs);
  }

  #attemptAfter(call: Call, delayMs: number): void {
    call.stopWaiting = this.#parts.clock.after(delayMs, () => {
      call.stopWaiting = undefined;
      this.#attempt(call);
    });
  }

  #unpark(): void {
    const { callable, refusal } = this.#parts.roster;
    if (this.#parked.size === 0 || (callable.length === 0 && refusal === undefined)) return;
    const parked = [...this.#parked];
    this.#parked.clear();
    for (const call of parked) this.#attempt(call);
  }

  #attempt(call: Call): void {
    const target = this.#choose(call);
    if (target) {
      this.#begin(call, target);
      target.begin(call);
      return;
    }
    call.fail(this.#nobody(call));
  }

  #begin(call: Call, target: Target): void {
    call.tries += 1;
    call.target = target;
    target.outstanding += 1;
    target.breaker.begun();
  }

  #choose(call: Call): Target | undefined {
    const { roster, clock } = this.#parts;
    const { to, prefer } = call.options;
    if (to !== undefined) return roster.get(to);
    if (prefer !== undefined) {
      const preferred = roster.get(prefer);
      const usable = preferred?.instance.state === "ready" && preferred.breaker.allows(clock.nowMs());
      if (preferred && usable && preferred !== call.avoid) return preferred;
    }
    const { local } = roster;
    if (local && local !== call.avoid) return local;
    return leastOutstanding(roster.callable, this.#turn++, clock.nowMs, call.avoid);
  }

  #nobody(call: Call): CallFailure {
    const { roster, clock } = this.#parts;
    const { to } = call.options;
    if (to !== undefined) return new CallFailure("NO_INSTANCE", `${call}: instance ${to} is not connected`);
    if (roster.callable.length === 0 && roster.refusal !== undefined)
      return new CallFailure("UNAUTHENTICATED", `${call}: an instance of ${call.service} is there: ${roster.refusal}`);
    if (roster.callable.length === 0) {
      const known = roster.instances.map((instance) => `${instance.id} ${instance.state}`).join(", ") || "none";
      return new CallFailure(
        "NO_INSTANCE",
        `${call}: no ready instance of ${call.service} is connected (known: ${known}); is one running, in the same cluster?`,
      );
    }
    const opensMs = Math.min(...roster.callable.map((target) => target.breaker.openUntilMs)) - clock.nowMs();
    const text = `${call}: every instance has stopped answering; the next probe is in ${Math.max(0, Math.ceil(opensMs))} ms`;
    return new CallFailure("BROKEN", text);
  }

  /** The call is settled while at a target: replied, timed out or cancelled. */
  #leave(call: Call, target: Target): void {
    target.outstanding -= 1;
    call.target = undefined;
    const { clock } = this.#parts;
    if (call.replied) target.breaker.answered();
    else {
      if (call.sent && call.deadlineMs <= clock.nowMs()) target.breaker.timedOut(clock.nowMs());
      else target.breaker.ended();
      target.abandon(call);
    }
  }
}
