// Hosted: this process' own instance of a service: its handlers, its subscribers, its way out.
//
//   local.ts       (a call made here)  ---\
//                                          > invoke --> handler        push --> every Subscriber (local.ts, rpc/session.ts)
//   rpc/session.ts (a call of a peer)  ---/
//
//   H1. Announce, finish, leave: discovery says `draining` before a call is refused; what had begun is finished.
//   H2. A push is encoded once, however many subscribers it has, and not at all if none of them is in another process.
//   H3. A subscriber gets the snapshot as of its subscription, then every push after it, in order.

import type { Clock } from "../clock.js";
import type { Contract, MessageOf, PushName } from "../contract.js";
import type { Registration } from "../discovery/discovery.js";
import type { Instance, InstanceId, InstanceState } from "../discovery/instance.js";
import { WiringError } from "../errors.js";
import type { CommonMethod } from "../everywhere.js";
import type { Log } from "../house.js";
import { encodePayload } from "../rpc/payload.js";
import type { CallContext, Hosted, HostOptions, Implementation, PeerId } from "./nexus.js";
import type { Tally } from "./tally.js";

/** A push on its way to its subscribers; its bytes are made when the first one needs them (H2). */
export class Outgoing {
  #bytes: Uint8Array | undefined;

  constructor(readonly message: unknown) {}

  get bytes(): Uint8Array {
    this.#bytes ??= encodePayload(this.message);
    return this.#bytes;
  }
}

/** One subscription of one peer, at the sending end. */
export interface Subscriber {
  readonly peer: PeerId;
  /** Next in the stream. False: its queue is full; the message is dropped and its number is not used again. */
  push(outgoing: Outgoing): boolean;
  /** Before everything pushed after this. Never dropped: kept back while the queue is full. */
  snapshot(take: () => readonly Outgoing[]): void;
}

export type HostedMethod = CommonMethod;

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
  readonly #subscribers = new Map<string, Map<PeerId, Set<Subscriber>>>();
  readonly #pushed: (by: number) => void;
  readonly #lost: (by: number) => void;
  #instance: Instance;
  #registration: Registration | undefined;
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
    const common = parts.common.map((method) => [method.name, method] as const);
    this.methods = new Map([...common, ...methodsOf(contract, implementation)]);
    for (const push of Object.keys(contract.pushes)) this.#subscribers.set(push, new Map());
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
    if (!found || this.#instance.state === "draining" || this.#closing) throw this.#refusal(method);
    const result = found.handler(request, context);
    if (isThenable(result)) this.#working += 1;
    return result;
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
    const peers = this.#subscribers.get(push);
    if (!peers || peers.size === 0) return;
    const outgoing = new Outgoing(message);
    for (const subscribers of peers.values()) this.#send(subscribers, outgoing);
  }

  pushTo<P extends PushName<C>>(peer: PeerId, push: P, message: MessageOf<C, P>): boolean {
    const subscribers = this.#subscribers.get(push)?.get(peer);
    return subscribers !== undefined && this.#send(subscribers, new Outgoing(message));
  }

  #send(subscribers: ReadonlySet<Subscriber>, outgoing: Outgoing): boolean {
    let all = true;
    for (const subscriber of subscribers) {
      if (subscriber.push(outgoing)) this.#pushed(1);
      else {
        all = false;
        this.#lost(1);
      }
    }
    return all;
  }

  subscribers(push: PushName<C>): readonly PeerId[] {
    return [...(this.#subscribers.get(push)?.keys() ?? [])];
  }

  /** False: there is no such push. */
  subscribe(push: string, subscriber: Subscriber): boolean {
    const peers = this.#subscribers.get(push);
    if (!peers || this.#closing) return false;
    const subscribers = peers.get(subscriber.peer) ?? new Set();
    peers.set(subscriber.peer, subscribers.add(subscriber));
    this.resync(push, subscriber); // H3
    this.#guarded("onSubscribe", () => this.#options.onSubscribe?.(subscriber.peer, push as PushName<C>));
    return true;
  }

  /** Sends the snapshot (again). */
  resync(push: string, subscriber: Subscriber): void {
    const snapshot = this.#options.snapshots?.[push as PushName<C>];
    if (!snapshot) return;
    subscriber.snapshot(() => {
      let messages: readonly unknown[] = [];
      this.#guarded(`snapshot of ${push}`, () => {
        messages = snapshot();
      });
      return messages.map((message) => new Outgoing(message));
    });
  }

  unsubscribe(push: string, subscriber: Subscriber): void {
    const peers = this.#subscribers.get(push);
    const subscribers = peers?.get(subscriber.peer);
    subscribers?.delete(subscriber);
    if (subscribers?.size === 0) peers?.delete(subscriber.peer);
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
    this.#instance = { ...this.#instance, meta: Object.fromEntries(all.filter(([, value]) => value !== "")) };
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
    this.#subscribers.clear();
    this.#parts.closed();
    await withdrawn?.catch((error: unknown) => {
      this.#parts.log.warn(
        { err: error, instance: this.id },
        "could not leave discovery; its entry will expire by itself",
      );
    });
  }

  /** The service's own code must not harm the wiring. */
  #guarded(what: string, run: () => void): void {
    try {
      run();
    } catch (error) {
      this.#parts.log.error({ err: error, instance: this.id }, `${what} threw; carrying on`);
    }
  }
}

export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null && "then" in value && typeof value.then === "function";
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
