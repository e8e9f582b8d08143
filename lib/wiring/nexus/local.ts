// Local: a service hosted in this process as its callers here see it. A direct call, with the semantics of a remote one:
// deadlines, cancellation, draining, failures and their `sent`, numbered pushes that never arrive within the push() itself.
//
// Where the contract's schema is one whose values arrive as they were sent (Codec.exact), nothing is validated and nothing is copied: the
// compiler has checked the types, and messages are values. Otherwise a value is carried as if to another process.

import type { Clock } from "../clock.js";
import type { PushSpec } from "../contract.js";
import type { Instance } from "../discovery/instance.js";
import { Breaker } from "../guard/breaker.js";
import type { Outgoing, Snapshot, Subscriber } from "./audience.js";
import { Call } from "./call.js";
import { carried } from "./carried.js";
import { Context } from "./context.js";
import type { Dispatch } from "./dispatch.js";
import { CallFailure, handlerFailure } from "./failure.js";
import { isPromise } from "./foreign.js";
import type { HostedService } from "./hosted.js";
import type { PeerId } from "./nexus.js";
import type { NamedMethod, PushSink, PushStream, Target } from "./target.js";

export class LocalTarget implements Target {
  readonly local = true;
  readonly breaker = new Breaker();
  outstanding = 0;
  readonly #calls = new Map<Call, Context>();

  constructor(
    readonly hosted: HostedService,
    readonly peer: PeerId,
    readonly clock: Clock,
  ) {}

  get instance(): Instance {
    return this.hosted.instance;
  }

  /** A call without options. One that is answered at once costs its handler, a context and a promise. */
  direct(dispatch: Dispatch, service: string, method: NamedMethod, request: unknown): Promise<unknown> | undefined {
    if (!method.request.exact || !method.reply.exact) return undefined;
    const context = new Context(this.peer, this.clock.nowMs() + method.spec.timeoutMs);
    let result: unknown;
    try {
      result = this.hosted.invoke(method.name, request, context);
    } catch (thrown) {
      const call = new Call(dispatch, service, method, request, context.deadlineMs, undefined);
      call.tries = 1;
      call.avoid = this;
      dispatch.start(call, handlerFailure(thrown));
      return call.promise;
    }
    if (!isPromise(result)) {
      dispatch.counted();
      return Promise.resolve(result);
    }
    const call = new Call(dispatch, service, method, request, context.deadlineMs, undefined);
    dispatch.adopt(call, this);
    this.#follow(call, context, result);
    return call.promise;
  }

  begin(call: Call): void {
    const context = new Context(this.peer, call.deadlineMs);
    const request = carried(call.method.request, call.request);
    if (!request.ok) {
      call.fail(new CallFailure("INVALID_REQUEST", `${call}: the request does not fit the contract: ${request.why}`));
      return;
    }
    call.sent = true;
    let result: unknown;
    try {
      result = this.hosted.invoke(call.method.name, request.value, context);
    } catch (thrown) {
      call.fail(handlerFailure(thrown));
      return;
    }
    if (isPromise(result)) this.#follow(call, context, result);
    else this.#succeed(call, result);
  }

  #succeed(call: Call, result: unknown): void {
    const reply = carried(call.method.reply, result);
    if (reply.ok) call.succeed(reply.value);
    else
      call.fail(
        new CallFailure(
          reply.encoded ? "INVALID_REPLY" : "REMOTE",
          `${call}: the reply of ${this.instance.id} does not fit the contract: ${reply.why}`,
        ),
      );
  }

  #follow(call: Call, context: Context, result: Promise<unknown>): void {
    call.sent = true;
    this.#calls.set(call, context);
    result.then(
      (reply) => {
        this.hosted.finished();
        if (this.#calls.delete(call)) this.#succeed(call, reply);
      },
      (thrown: unknown) => {
        this.hosted.finished();
        if (this.#calls.delete(call)) call.fail(handlerFailure(thrown));
      },
    );
  }

  abandon(call: Call): void {
    const context = this.#calls.get(call);
    this.#calls.delete(call);
    context?.abort(new CallFailure("CANCELLED", `the caller of ${call} has given up`));
  }

  refusing(): void {} // hosted.ts has said so itself.

  /** The instance has left: what is under way ends as it would if its process had. */
  close(): void {
    for (const [call, context] of this.#calls) {
      this.#calls.delete(call);
      context.abort(new CallFailure("CANCELLED", `${this.instance.id} was closed`));
      call.fail(new CallFailure("DISCONNECTED", `${call}: ${this.instance.id} was closed with the call in flight`));
    }
  }

  subscribe(push: string, _spec: PushSpec, sink: PushSink): PushStream {
    const refusal = this.hosted.refusesPush(push);
    if (refusal) {
      setImmediate(() => sink.refused(refusal));
      return { close() {} };
    }
    const stream = new LocalStream(this.peer, sink);
    this.hosted.subscribe(push, stream);
    return {
      close: () => {
        stream.close();
        this.hosted.unsubscribe(push, stream);
      },
    };
  }
}

/** In the place of a message that its own contract refuses. */
const NOT_READABLE = Symbol("not readable");

/** A stream within the process. Delivered on the event loop's next turn, so it empties itself and needs no bound. */
class LocalStream implements Subscriber {
  #sink: PushSink | undefined;
  #queue: { readonly message: unknown; readonly sequence: number }[] = [];
  #scheduled = false;
  #joined = false;
  #sequence = 0;

  constructor(
    readonly peer: PeerId,
    sink: PushSink,
  ) {
    this.#sink = sink;
    this.#schedule();
  }

  push(outgoing: Outgoing): boolean {
    const read = carried(outgoing.codec, outgoing.message);
    if (!read.ok && !read.encoded) throw new TypeError(read.why);
    this.#sequence += 1;
    this.#queue.push({ message: read.ok ? read.value : NOT_READABLE, sequence: this.#sequence });
    this.#schedule();
    return true;
  }

  snapshot(take: () => Snapshot): void {
    const snapshot = take();
    for (let i = 0; i < snapshot.length; i += 1) {
      const read = carried(snapshot.codec, snapshot.at(i));
      if (read.ok) this.#queue.push({ message: read.value, sequence: 0 });
      else snapshot.skipped(new TypeError(read.why));
    }
    this.#schedule();
  }

  close(): void {
    this.#sink = undefined;
    this.#queue = [];
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => this.#deliver());
  }

  #deliver(): void {
    this.#scheduled = false;
    if (!this.#joined) {
      this.#joined = true;
      this.#sink?.joined();
    }
    const queue = this.#queue;
    this.#queue = [];
    for (const { message, sequence } of queue) {
      if (message === NOT_READABLE) this.#sink?.gap(sequence, sequence + 1);
      else this.#sink?.message(message, sequence);
    }
  }
}
