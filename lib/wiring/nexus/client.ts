// Client: the typed door to a service. It finds the method's rules in the contract, gives the call its deadline, and hands
// it on: straight to a handler in this process, into a shared flight, or to dispatch.

import { DURATION_MAX_MS } from "../../duration.js";
import { asError, messageOf } from "../../thrown.js";
import type { Clock } from "../clock.js";
import type { Contract, MessageOf, MethodName, PushName, ReplyOf, RequestOf } from "../contract.js";
import type { Instance } from "../discovery/instance.js";
import { Coalesce } from "../guard/coalesce.js";
import { hedge } from "../guard/hedge.js";
import { Limit } from "../guard/limit.js";
import type { Log } from "../house.js";
import { codecOf } from "../quick/codec.js";
import type { TimerWheel } from "../rpc/timer-wheel.js";
import { Call } from "./call.js";
import { Dispatch } from "./dispatch.js";
import { CallFailure } from "./failure.js";
import { guarded } from "./foreign.js";
import type { CallOptions, Client, PushListener, Subscription } from "./nexus.js";
import { rideAlong } from "./ride.js";
import type { Roster } from "./roster.js";
import { PushSubscription } from "./subscription.js";
import type { Tally } from "./tally.js";
import type { NamedMethod, Target } from "./target.js";

export interface ClientParts {
  readonly roster: Roster;
  readonly clock: Clock;
  readonly wheel: TimerWheel;
  readonly log: Log;
  readonly tally: Tally;
  readonly callsMax: number;
  /** Of all clients of the service in this process. */
  readonly subscriptions: Limit;
  /** Called by close(). */
  closed(): void;
}

export class ServiceClient<C extends Contract> implements Client<C> {
  readonly #contract: C;
  readonly #parts: ClientParts;
  readonly #methods = new Map<string, NamedMethod>();
  readonly #dispatch: Dispatch;
  readonly #coalesce = new Coalesce();
  readonly #subscriptions = new Set<Subscription>();
  readonly #watches = new Set<() => void>();
  /** Of ready(): each ends one wait. */
  readonly #waits = new Set<() => void>();
  #closed = false;

  constructor(contract: C, parts: ClientParts) {
    this.#contract = contract;
    this.#parts = parts;
    for (const [name, spec] of Object.entries(contract.methods)) {
      this.#methods.set(name, { name, spec, request: codecOf(spec.request), reply: codecOf(spec.reply) });
    }
    const { roster, clock, wheel, tally, callsMax } = parts;
    this.#dispatch = new Dispatch({ roster, clock, wheel, tally, limit: new Limit(callsMax) });
  }

  call<M extends MethodName<C>>(method: M, request: RequestOf<C, M>, options?: CallOptions): Promise<ReplyOf<C, M>> {
    return this.#call(method, request, options) as Promise<ReplyOf<C, M>>;
  }

  #call(name: string, request: unknown, options: CallOptions | undefined): Promise<unknown> {
    const method = this.#methods.get(name);
    if (this.#closed || !method) return Promise.reject(this.#unusable(name));
    if (options) return this.#callWith(method, request, options);
    const { roster, clock } = this.#parts;
    const direct = roster.local?.direct?.(this.#dispatch, roster.service, method, request);
    if (direct) return direct;
    const nowMs = clock.nowMs();
    const call = new Call(this.#dispatch, roster.service, method, request, nowMs + method.spec.timeoutMs, options);
    call.justMadeMs = nowMs;
    this.#dispatch.start(call);
    call.justMadeMs = 0;
    return call.promise;
  }

  #callWith(method: NamedMethod, request: unknown, options: CallOptions): Promise<unknown> {
    const { roster, clock } = this.#parts;
    const what = `${roster.service}.${method.name}`;
    const { signal, coalesce, hedgeMs, timeoutMs = method.spec.timeoutMs } = options;
    if (signal?.aborted) return Promise.reject(new CallFailure("CANCELLED", `${what}: aborted before it was made`));
    const wrong = unusableTime("timeoutMs", timeoutMs) ?? unusableTime("hedgeMs", hedgeMs ?? 0);
    if (wrong) return Promise.reject(new CallFailure("INVALID_REQUEST", `${what}: ${wrong}`));
    if (timeoutMs <= 0)
      return Promise.reject(new CallFailure("EXPIRED", `${what}: a budget of ${timeoutMs} ms is none`));
    const deadlineMs = clock.nowMs() + Math.min(timeoutMs, DURATION_MAX_MS);
    if (coalesce !== undefined) return this.#share(method, request, options, deadlineMs, coalesce);
    const begin = (avoid?: Target): Call => {
      const call = new Call(this.#dispatch, roster.service, method, request, deadlineMs, options);
      call.avoid = avoid;
      if (signal) cancelOn(signal, call);
      this.#dispatch.start(call);
      return call;
    };
    if (hedgeMs === undefined || options.to !== undefined || !method.spec.idempotent) return begin().promise;
    const hasOther = (than: Target) => roster.callable.some((target) => target !== than);
    return hedge<Target>({ clock, afterMs: hedgeMs, begin, hasOther });
  }

  #share(
    method: NamedMethod,
    request: unknown,
    options: CallOptions,
    deadlineMs: number,
    key: string,
  ): Promise<unknown> {
    const { roster, wheel } = this.#parts;
    return rideAlong(wheel, deadlineMs, options.signal, `${roster.service}.${method.name}`, () =>
      this.#coalesce.join(`${method.name}\n${key}`, deadlineMs, () => {
        const call = new Call(this.#dispatch, roster.service, method, request, deadlineMs, options);
        this.#dispatch.start(call);
        return {
          promise: call.promise,
          extend: (laterMs) => {
            if (call.settled || laterMs <= call.deadlineMs) return;
            wheel.remove(call);
            call.deadlineMs = laterMs;
            wheel.add(call);
          },
          cancel: (reason) => call.cancel(reason),
          overdue: () => (call.settled ? undefined : call.overdue()),
        };
      }),
    );
  }

  #unusable(name: string): CallFailure {
    const { service } = this.#contract;
    if (this.#closed) return new CallFailure("CLOSED", `${service}.${name}: this client is closed`);
    return new CallFailure("NO_METHOD", `${service}.${name}: the contract has no such method`);
  }

  subscribe<P extends PushName<C>>(push: P, listener: PushListener<MessageOf<C, P>>): Subscription {
    const spec = this.#contract.pushes[push];
    if (this.#closed || !spec) throw this.#unusable(push);
    const { roster, log, tally, subscriptions } = this.#parts;
    if (!subscriptions.take()) {
      const text = `${roster.service}.${push}: ${subscriptions.max} subscriptions are open already; close some, or share one`;
      throw new CallFailure("OVERLOADED", text);
    }
    const subscription = new PushSubscription({
      roster,
      push,
      spec,
      listener: listener as PushListener<unknown>,
      log,
      tally,
      closed: (closed) => {
        if (this.#subscriptions.delete(closed)) subscriptions.give();
      },
    });
    this.#subscriptions.add(subscription);
    return subscription;
  }

  instances(): readonly Instance[] {
    return this.#parts.roster.instances;
  }

  watch(listener: (instances: readonly Instance[]) => void): () => void {
    const { roster, log } = this.#parts;
    const failed = (thrown: unknown) =>
      log.error({ err: asError(thrown), service: roster.service }, "a listener of instances threw; carrying on");
    const tell = () => guarded(() => listener(roster.instances), failed);
    const unlisten = roster.listen({ changed: tell });
    const stop = () => {
      this.#watches.delete(stop);
      unlisten();
    };
    this.#watches.add(stop);
    tell();
    return stop;
  }

  ready(timeoutMs: number, atLeast = 1): Promise<void> {
    const { roster, clock } = this.#parts;
    const wrong = unusableTime("timeoutMs", timeoutMs);
    if (wrong) return Promise.reject(new CallFailure("INVALID_REQUEST", `${roster.service}: ${wrong}`));
    if (this.#closed) return Promise.reject(this.#unusable("ready"));
    if (roster.callable.length >= atLeast) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const settle = (): void => {
        stop();
        stopTimer();
        this.#waits.delete(closed);
      };
      const closed = (): void => {
        settle();
        reject(this.#unusable("ready"));
      };
      this.#waits.add(closed);
      const stop = roster.listen({
        changed: () => {
          if (roster.callable.length < atLeast) return;
          settle();
          resolve();
        },
      });
      const stopTimer = clock.after(timeoutMs, () => {
        settle();
        const found = roster.callable.length;
        const what = found === 0 ? "no ready instance" : `${found} of ${atLeast} ready instances`;
        const text = `${what} of ${roster.service} within ${timeoutMs} ms; is one running, in the same cluster?`;
        const { refusal } = roster;
        if (found === 0 && refusal !== undefined) reject(new CallFailure("UNAUTHENTICATED", `${text}\n${refusal}`));
        else reject(new CallFailure("NO_INSTANCE", text));
      });
    });
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    for (const stop of this.#watches) stop();
    for (const end of this.#waits) end();
    for (const subscription of this.#subscriptions) subscription.close();
    this.#dispatch.close();
    this.#parts.closed();
  }
}

/** Options come from callers without a compiler, too: what is no number would end in a deadline that never comes. */
const unusableTime = (name: string, ms: unknown): string | undefined =>
  typeof ms === "number" && !Number.isNaN(ms)
    ? undefined
    : `${name} must be a number of milliseconds, and is ${messageOf(ms)}`;

function cancelOn(signal: AbortSignal, call: Call): void {
  const cancel = () => call.cancel("the caller aborted it");
  signal.addEventListener("abort", cancel, { once: true });
  const forget = () => signal.removeEventListener("abort", cancel);
  call.promise.then(forget, forget);
}
