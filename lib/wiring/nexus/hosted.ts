// Hosted: this process' own instance of a service: its handlers, its subscribers, its way out.
//
//   local.ts       (a call made here)  ---\
//                                          > invoke --> handler        push --> audience.ts --> subscribers
//   rpc/session.ts (a call of a peer)  ---/
//
//   H1. Announce, finish, leave: discovery says `draining` before a call is refused; what had begun is finished.
//   H2. A subscriber gets the snapshot as of its subscription, then every push after it, in order.
//   H3. What a handler throws unexpectedly is logged here, with its stack: only the message crosses to the caller.

import { asError } from "../../thrown.js";
import type { Clock } from "../clock.js";
import type { Contract, MessageOf, PushName } from "../contract.js";
import type { Registration } from "../discovery/discovery.js";
import { checkInstance, type Instance, type InstanceId, type InstanceState } from "../discovery/instance.js";
import { WiringError } from "../errors.js";
import type { CommonMethod } from "../everywhere.js";
import type { Log } from "../house.js";
import { Seldom } from "../seldom.js";
import { Audience, type Subscriber } from "./audience.js";
import { handlerFailure } from "./failure.js";
import { guarded, isPromise, settling } from "./foreign.js";
import type { CallContext, Hosted, HostOptions, Implementation, PeerId } from "./nexus.js";
import type { Tally } from "./tally.js";

export type HostedMethod = CommonMethod;

/** A handler may throw thousands of times a second: its log says the first of each second, and how many more there were. */
const COMPLAIN_EVERY_MS = 1_000;

export interface HostedParts {
  readonly clock: Clock;
  readonly log: Log;
  readonly tally: Tally;
  /** Answered by every service of this process, unless its contract has a method of that name. */
  readonly common: readonly CommonMethod[];
  /** The instance's description has changed. */
  changed(): void;
  /** The instance leaves: tell the peers, forget it. */
  closed(): void;
}

export class HostedService<C extends Contract = Contract> implements Hosted<C> {
  readonly methods: ReadonlyMap<string, HostedMethod>;
  readonly contract: C;
  /** Counts requests of other processes, by how they ended. */
  readonly served: Readonly<Record<"ok" | "failed" | "refused", (by: number) => void>>;
  readonly #options: HostOptions<C>;
  readonly #parts: HostedParts;
  readonly #audiences = new Map<string, Audience>();
  readonly #pushed: (by: number) => void;
  readonly #lost: (by: number) => void;
  #instance: Instance;
  #registration: Registration | undefined;
  readonly #complaints: Seldom;
  #working = 0;
  #whenIdle: (() => void) | undefined;
  #draining: Promise<void> | undefined;
  #closing: Promise<void> | undefined;

  constructor(
    contract: C,
    implementation: Implementation<C>,
    options: HostOptions<C>,
    instance: Instance,
    parts: HostedParts,
  ) {
    this.contract = contract;
    this.#options = options;
    this.#parts = parts;
    this.#instance = instance;
    this.#complaints = new Seldom(COMPLAIN_EVERY_MS, () => parts.clock.nowMs());
    const common = parts.common.map((method) => [method.name, method] as const);
    this.methods = new Map([...common, ...methodsOf(contract, implementation)]);
    for (const [push, spec] of Object.entries(contract.pushes)) this.#audiences.set(push, new Audience(spec));
    const counter = (outcome: string) => parts.tally.counter("wiring.served", { service: contract.service, outcome });
    this.served = { ok: counter("ok"), failed: counter("failed"), refused: counter("refused") };
    this.#pushed = parts.tally.counter("wiring.pushed", { service: contract.service });
    this.#lost = parts.tally.counter("wiring.pushes_lost", { service: contract.service });
  }

  get instance(): Instance {
    return this.#instance;
  }

  get id(): InstanceId {
    return this.#instance.id;
  }

  get closed(): boolean {
    return this.#closing !== undefined;
  }

  /** Given once, right after discovery knows the instance. */
  registered(registration: Registration): void {
    this.#registration = registration;
  }

  /**
   * Runs a handler. When it returns a promise, finished() must be called once it is settled.
   *
   * @throws what the handler throws; DRAINING, NO_METHOD or NO_INSTANCE without having run it.
   */
  invoke(method: string, request: unknown, context: CallContext): unknown {
    const found = this.methods.get(method);
    if (!found) throw this.#refusal(method);
    return this.run(found, request, context);
  }

  /** The same with a method of ours that was looked up before. */
  run(method: HostedMethod, request: unknown, context: CallContext): unknown {
    if (this.#instance.state === "draining" || this.#closing) throw this.#refusal(method.name);
    let result: unknown;
    try {
      result = settling(method.handler(request, context));
    } catch (thrown) {
      this.#threw(method, thrown);
      throw thrown;
    }
    if (!isPromise(result)) return result;
    this.#working += 1;
    result.then(undefined, (thrown: unknown) => this.#threw(method, thrown));
    return result;
  }

  /** H3 */
  #threw(method: HostedMethod, thrown: unknown): void {
    if (handlerFailure(thrown).code !== "REMOTE") return; // A refusal in so many words.
    const kept = this.#complaints.pass();
    if (kept === undefined) return;
    this.#parts.log.error(
      { err: asError(thrown), instance: this.id, method: method.name, alikeNotLogged: kept },
      "a handler threw: its caller is told REMOTE; this stack says where",
    );
  }

  /** A handler's promise is settled. */
  finished(): void {
    this.#working -= 1;
    if (this.#working === 0) this.#whenIdle?.();
  }

  #refusal(method: string): WiringError {
    if (this.#closing) return new WiringError("NO_INSTANCE", `instance ${this.id} has left`);
    if (!this.methods.has(method)) {
      return new WiringError("NO_METHOD", `${this.id} (version ${this.#instance.version}) has no method ${method}`);
    }
    return new WiringError("DRAINING", `${this.id} finishes what it has and takes nothing new`);
  }

  push<P extends PushName<C>>(push: P, message: MessageOf<C, P>): void {
    const audience = this.#audiences.get(push);
    if (audience) this.#pushedTo(audience.push(message), audience.size);
  }

  pushTo<P extends PushName<C>>(peer: PeerId, push: P, message: MessageOf<C, P>): boolean {
    const sent = this.#audiences.get(push)?.pushTo(peer, message);
    if (sent) this.#pushedTo(sent.taken, sent.of);
    return sent !== undefined && sent.taken === sent.of;
  }

  #pushedTo(taken: number, of: number): void {
    if (taken > 0) this.#pushed(taken);
    if (taken < of) this.#lost(of - taken);
  }

  subscribers(push: PushName<C>): readonly PeerId[] {
    return this.#audiences.get(push)?.peers ?? [];
  }

  /** Why it cannot be subscribed to; undefined: it can. */
  refusesPush(push: string): WiringError | undefined {
    if (this.#audiences.has(push)) return undefined;
    return new WiringError("NO_METHOD", `${this.id} (version ${this.#instance.version}) has no push ${push}`);
  }

  /** Of a push that is there. */
  subscribe(push: string, subscriber: Subscriber): void {
    const audience = this.#audiences.get(push);
    if (!audience || this.#closing) return;
    audience.add(subscriber);
    this.resync(push, subscriber); // H2
    this.#guarded("onSubscribe", () => this.#options.onSubscribe?.(subscriber.peer, push as PushName<C>));
  }

  /** Sends the snapshot (again). */
  resync(push: string, subscriber: Subscriber): void {
    const snapshot = this.#options.snapshots?.[push as PushName<C>];
    const audience = this.#audiences.get(push);
    if (!snapshot || !audience) return;
    subscriber.snapshot(() => {
      let messages: readonly unknown[] = [];
      this.#guarded(`snapshot of ${push}`, () => {
        messages = [...snapshot()]; // A copy: it is sent bit by bit, and the service's own list goes on changing.
      });
      return audience.snapshot(messages, (thrown) => {
        const what = "a message of a snapshot cannot be sent and is left out";
        this.#parts.log.error({ err: asError(thrown), instance: this.id, push }, what);
      });
    });
  }

  unsubscribe(push: string, subscriber: Subscriber): void {
    this.#audiences.get(push)?.remove(subscriber);
  }

  /** A peer that called or subscribed is gone. Its subscriptions have been taken out. */
  peerGone(peer: PeerId): void {
    this.#guarded("onPeerGone", () => this.#options.onPeerGone?.(peer));
  }

  async announce(): Promise<void> {
    if (this.#instance.state === "starting") await this.#become("ready");
  }

  describe(meta: Readonly<Record<string, string>>): void {
    // Ours at once, so that a second description builds on this one.
    const all = Object.entries({ ...this.#instance.meta, ...meta });
    const described = Object.fromEntries(all.filter(([, value]) => value !== ""));
    this.#instance = checkInstance({ ...this.#instance, meta: described });
    this.#parts.changed();
    this.#registration?.update({ meta: this.#instance.meta }).catch((error: unknown) => {
      this.#parts.log.warn({ err: error, instance: this.id }, "the new description has not reached discovery yet");
    });
  }

  async #become(state: InstanceState): Promise<void> {
    await this.#registration?.update({ state });
    this.#instance = { ...this.#instance, state };
    this.#parts.changed();
  }

  drain(timeoutMs: number): Promise<void> {
    this.#draining ??= this.#drain(timeoutMs);
    return this.#draining;
  }

  async #drain(timeoutMs: number): Promise<void> {
    const { clock, log } = this.#parts;
    const deadlineMs = clock.nowMs() + timeoutMs;
    await withTimeout(clock, timeoutMs, this.#become("draining")).catch((error: unknown) => {
      log.warn(
        { err: error, instance: this.id },
        "discovery could not be told of the draining; callers learn it by being refused",
      );
    });
    this.#instance = { ...this.#instance, state: "draining" }; // H1: only now, told or not.
    this.#parts.changed();
    if (this.#working === 0) return;
    const idle = new Promise<void>((resolve) => {
      this.#whenIdle = resolve;
    });
    await withTimeout(clock, Math.max(0, deadlineMs - clock.nowMs()), idle).catch(() => {
      log.warn({ instance: this.id, calls: this.#working }, "drained as long as allowed; calls are still under way");
    });
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const withdrawn = this.#registration?.withdraw();
    for (const audience of this.#audiences.values()) audience.clear();
    this.#parts.closed();
    await withdrawn?.catch((error: unknown) => {
      this.#parts.log.warn(
        { err: error, instance: this.id },
        "could not leave discovery; its entry will expire by itself",
      );
    });
  }

  /** The service's own code must not harm the wiring. */
  #guarded(what: string, run: () => unknown): void {
    guarded(run, (thrown) => {
      this.#parts.log.error({ err: asError(thrown), instance: this.id }, `${what} threw; carrying on`);
    });
  }
}

function methodsOf<C extends Contract>(contract: C, implementation: Implementation<C>): Map<string, HostedMethod> {
  const handlers = implementation as unknown as Readonly<Record<string, HostedMethod["handler"]>>;
  const methods = new Map<string, HostedMethod>();
  for (const [name, spec] of Object.entries(contract.methods)) {
    const handler = handlers[name];
    if (typeof handler !== "function") {
      throw new TypeError(
        `the implementation of ${contract.service} lacks the method ${name}, which its contract offers`,
      );
    }
    methods.set(name, { name, spec, handler: handler.bind(implementation) });
  }
  return methods;
}

/** @throws {Error} after ms. The promise itself goes on. */
async function withTimeout<T>(clock: Clock, ms: number, promise: Promise<T>): Promise<T> {
  let stop = (): void => {};
  const timeout = new Promise<never>((_, reject) => {
    stop = clock.after(ms, () => reject(new Error(`not done within ${Math.ceil(ms)} ms`)));
  });
  try {
    return await Promise.race([promise, timeout]);
  } finally {
    stop();
  }
}
