// Nexus: one door to every service, wherever it runs.
//
//   client.call(...)      --- hosted in this process? ---> a direct call                     (nexus/local)
//                          \-- elsewhere -----------------> guard -> rpc over ZeroMQ          (nexus/remote)
//   client.subscribe(...) <------------------------------- pushes of every live instance, each stream numbered
//
//   N1. Local and remote are the same call: one conformance suite runs against both.
//   N2. Requests from one caller to one instance are begun in the order in which they were made.
//   N3. Pushes of one instance arrive in order, once; a hole is announced (`onGap`) and mended by a snapshot.
//
// Messages are values: neither side changes one after handing it over (a local call copies only what its schema may change on the way). In a
// text, half of a surrogate pair becomes U+FFFD in another process; a record's key `__proto__` becomes `__proto_`.

import type { Contract, MessageOf, MethodName, PushName, ReplyOf, RequestOf } from "../contract.js";
import type { Instance, InstanceId } from "../discovery/instance.js";
import type { WiringError } from "../errors.js";

/** Names the calling process' nexus on the wire; unique per process start. */
export type PeerId = string & { readonly __brand: "PeerId" };

export interface CallOptions {
  /** Whole budget in milliseconds, discovery and retries included; Infinity is 24 days, the longest there is. Default: the method's own. */
  readonly timeoutMs?: number;
  /** Cancels: the caller's promise rejects with CANCELLED at once and the far side's signal is aborted. */
  readonly signal?: AbortSignal;
  /** Only this instance; without it the least loaded live one. NO_INSTANCE when it is not there. */
  readonly to?: InstanceId;
  /** Preferred instance: used when live, otherwise any other one. */
  readonly prefer?: InstanceId;
  /**
   * Another instance is asked, too, when there is no reply after so many milliseconds; whoever answers first counts. For idempotent
   * methods; without effect on others, with `to`, or with `coalesce`.
   */
  readonly hedgeMs?: number;
  /** Single flight: calls of this method with the same key that overlap share one request and its reply. */
  readonly coalesce?: string;
}

export interface Client<C extends Contract> {
  /**
   * Calls `method` on one live instance.
   *
   * A failure that left nothing behind (`sent: false`), or any retryable failure of an idempotent method, is retried on
   * another instance with jitter while the budget lasts.
   *
   * @throws {WiringError} see errors.ts; `sent` says whether the far side may have run it.
   */
  call<M extends MethodName<C>>(method: M, request: RequestOf<C, M>, options?: CallOptions): Promise<ReplyOf<C, M>>;

  /**
   * Receives a push from every live instance, now and later, until closed. On joining an instance, and after a hole, the
   * instance's snapshot of that push (if it offers one) is delivered first, however large it is.
   *
   * @throws {WiringError} OVERLOADED when this process holds too many of this service (Limits.subscriptionsMax); CLOSED; NO_METHOD.
   */
  subscribe<P extends PushName<C>>(push: P, listener: PushListener<MessageOf<C, P>>): Subscription;

  /** Live instances as discovery and the sockets know them; ready ones first, then by seniority (oldest first). */
  instances(): readonly Instance[];

  /** Called after every change of `instances()`, and once at once. Returns the way to stop it. */
  watch(listener: (instances: readonly Instance[]) => void): () => void;

  /**
   * Resolves when so many ready instances are known and connected. Each link takes its own time: who wants to ask them all says how
   * many there are.
   *
   * @param atLeast Default 1.
   * @throws {WiringError} NO_INSTANCE after timeoutMs.
   */
  ready(timeoutMs: number, atLeast?: number): Promise<void>;

  close(): Promise<void>;
}

export interface PushListener<Message> {
  onMessage(message: Message, from: PushOrigin): void;
  /** Numbers expected..received-1 were lost; a snapshot follows if the service offers one. */
  onGap?(from: Instance, hole: { readonly expected: number; readonly received: number }): void;
  /** The stream of this instance has begun: its snapshot (if any) comes next. */
  onJoin?(from: Instance): void;
  /** This instance does not take the subscription (OVERLOADED, or NO_METHOD: it has no such push): nothing of it is heard. Also logged. */
  onRefused?(from: Instance, error: WiringError): void;
  /** The instance's socket is gone, or it left discovery: nothing more comes of this stream. */
  onLeave?(from: Instance, reason: "gone" | "left"): void;
}

export interface PushOrigin {
  readonly instance: Instance;
  /** Counts from 1 for each (subscriber, push). 0: part of a snapshot. */
  readonly sequence: number;
  readonly snapshot: boolean;
}

export interface Subscription {
  close(): void;
}

export interface CallContext {
  /** Who asks. A later pushTo may name it. */
  readonly caller: PeerId;
  /** When the caller gives up: milliseconds on this process' monotonic clock (performance.now()). */
  readonly deadlineMs: number;
  /** Aborted when the caller cancelled or went away. */
  readonly signal: AbortSignal;
}

export type Implementation<C extends Contract> = {
  readonly [M in MethodName<C>]: (
    request: RequestOf<C, M>,
    context: CallContext,
  ) => Promise<ReplyOf<C, M>> | ReplyOf<C, M>;
};

export interface HostOptions<C extends Contract> {
  /** Fields beside the address that an operator sees in `ps`; strings only, at most 32 of them, 256 characters each. */
  readonly meta?: Readonly<Record<string, string>>;
  /** What a new subscriber of a push, or one that lost a message, gets first. */
  readonly snapshots?: { readonly [P in PushName<C>]?: () => readonly MessageOf<C, P>[] };
  /** A peer subscribed to `push`. */
  onSubscribe?(peer: PeerId, push: PushName<C>): void;
  /** A peer that called or subscribed is gone (said goodbye, or its socket fell silent). */
  onPeerGone?(peer: PeerId): void;
  /** False: registered as `starting`, invisible to callers until `announce()`. Default true. */
  readonly announce?: boolean;
}

/** This process' own instance of a service. */
export interface Hosted<C extends Contract> {
  readonly instance: Instance;
  /** To every subscriber. Encoded once, whatever their number. Never waits; a slow subscriber sees a gap, not us a queue. */
  push<P extends PushName<C>>(push: P, message: MessageOf<C, P>): void;
  /** To one subscriber. False when it is not subscribed (any more) or its queue is full: it will see a gap. */
  pushTo<P extends PushName<C>>(peer: PeerId, push: P, message: MessageOf<C, P>): boolean;
  subscribers(push: PushName<C>): readonly PeerId[];
  /** Makes the instance visible to callers (see HostOptions.announce). */
  announce(): Promise<void>;
  /**
   * Changes fields of the registration at the next beat (at once when it is cheap); an empty text takes one away.
   *
   * @throws {TypeError} when a field cannot be published (see HostOptions.meta); nothing is changed.
   */
  describe(meta: Readonly<Record<string, string>>): void;
  /** Announce, finish, leave: discovery says `draining`, calls in flight are finished (at most timeoutMs), new ones get DRAINING. */
  drain(timeoutMs: number): Promise<void>;
  /** Leaves discovery, says goodbye to every peer. Safe twice. */
  close(): Promise<void>;
}

export interface Nexus {
  readonly peer: PeerId;
  /** A typed client of a service. Cheap; clients of one service share their sockets. */
  client<C extends Contract>(contract: C): Client<C>;
  /** Offers a service from this process. Resolves when it is discoverable (or registered as `starting`). */
  host<C extends Contract>(
    contract: C,
    implementation: Implementation<C>,
    options?: HostOptions<C>,
  ): Promise<Hosted<C>>;
  /** What this process offers just now, as discovery has it. */
  hosted(): readonly Instance[];
  /** Closes clients and hosted services, then the sockets; resolves when nothing is left that keeps the process alive. */
  close(): Promise<void>;
}
