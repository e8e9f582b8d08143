// Work: the requests of other processes while our handlers run them.
//
//   request --> deadline? known? room? valid? --> handler --> reply
//                  |no                               |throws
//                  v                                 v
//               failure (not run)                 failure
//
//   W1. Every refusal is made before the handler is called, so its code's `sent: false` is true.
//   W2. The deadline is our own: arrival, plus the budget that came with the request, less the time it lay unread.
//   W3. Requests in work are bounded, in number and in bytes, over all peers. Beyond: OVERLOADED.
//   W4. A caller that gives up or goes away aborts its handlers' signals; their results are dropped.
//   W5. A handler that hangs after its caller gave up holds its room for limits.givenUpMs more, not for ever.

import type { Clock } from "../clock.js";
import { WiringError } from "../errors.js";
import type { Limits } from "../limits.js";
import { Context } from "../nexus/context.js";
import { failureToWire, handlerFailure } from "../nexus/failure.js";
import { isPromise } from "../nexus/foreign.js";
import type { HostedMethod, HostedService } from "../nexus/hosted.js";
import type { PeerId } from "../nexus/nexus.js";
import { type Codec, codecOf } from "../quick/codec.js";
import { encodePayload } from "./payload.js";
import { readPayload } from "./validate.js";

/** What all peers' requests in work take together (W3). */
export class WorkRoom {
  requests = 0;
  bytes = 0;
  /** Whose callers have given up, and when; the oldest first. */
  readonly #givenUp = new Map<Running, number>();

  take(running: Running): void {
    this.requests += 1;
    this.bytes += running.size;
  }

  /** Once each. */
  give(running: Running): void {
    if (!running.counted) return;
    running.counted = false;
    this.#givenUp.delete(running);
    this.requests -= 1;
    this.bytes -= running.size;
  }

  givenUp(running: Running, nowMs: number): void {
    if (running.counted) this.#givenUp.set(running, nowMs);
  }

  /** When it is full: what nobody has waited for since `beforeMs` counts no more (W5). */
  reclaim(beforeMs: number): void {
    for (const [running, sinceMs] of this.#givenUp) {
      if (sinceMs > beforeMs) return;
      this.give(running);
    }
  }

  full(size: number, { workMax, workBytes }: Limits): boolean {
    return this.requests >= workMax || this.bytes + size > workBytes;
  }
}

/** A method of a hosted instance as a peer has named it. */
export interface Named {
  readonly instanceId: string;
  readonly method: string;
  /** Found when first called. */
  found: Found | undefined;
}

/** Of an instance here, which may lack the method. */
export interface Found {
  readonly hosted: HostedService;
  readonly served: Served | undefined;
}

/** A method and all that a request of it needs. */
interface Served {
  readonly hosted: HostedService;
  readonly method: HostedMethod;
  readonly request: Codec;
  readonly reply: Codec;
}

export function findMethod(hosted: HostedService, name: string): Found {
  const method = hosted.methods.get(name);
  if (!method) return { hosted, served: undefined };
  const { request, reply } = method.spec;
  return { hosted, served: { hosted, method, request: codecOf(request), reply: codecOf(reply) } };
}

export interface WorkParts {
  readonly peer: PeerId;
  readonly room: WorkRoom;
  readonly clock: Clock;
  readonly limits: Limits;
  /** Encodes the reply in the frame that leaves now. False: it is to be encoded first. */
  replyQuickly(id: number, codec: Codec, reply: unknown): boolean;
  reply(id: number, payload: Uint8Array): void;
  failure(id: number, wire: string): void;
}

interface Running {
  readonly hosted: HostedService;
  readonly context: Context;
  readonly size: number;
  /** Takes room. */
  counted: boolean;
}

export class Work {
  readonly #parts: WorkParts;
  readonly #running = new Map<number, Running>();

  constructor(parts: WorkParts) {
    this.#parts = parts;
  }

  get size(): number {
    return this.#running.size;
  }

  begin(id: number, named: Named, deadlineMs: number, frame: Buffer, start: number, end: number): void {
    const size = end - start;
    try {
      const served = this.#admit(named, deadlineMs, size);
      this.#run(id, served, this.#read(served, frame, start, end), deadlineMs, size);
    } catch (refusal) {
      this.#fail(id, named.found?.hosted, refusal);
    }
  }

  #admit({ instanceId, method, found }: Named, deadlineMs: number, size: number): Served {
    const { room, limits, clock } = this.#parts;
    if (!found) throw new WiringError("NO_INSTANCE", `this process does not serve ${instanceId}`);
    if (!found.served) throw new WiringError("NO_METHOD", `${instanceId} has no method ${method}; versions differ`);
    if (room.full(size, limits)) room.reclaim(clock.nowMs() - limits.givenUpMs); // W5
    if (room.full(size, limits)) {
      const load = `${room.requests} requests of ${room.bytes} bytes are in work`;
      throw new WiringError(
        "OVERLOADED",
        `${instanceId}: ${load}; the limits are ${limits.workMax} and ${limits.workBytes}`,
      );
    }
    if (clock.nowMs() >= deadlineMs)
      throw new WiringError("EXPIRED", "the request arrived after its deadline and was not run");
    return found.served;
  }

  #read(served: Served, frame: Buffer, start: number, end: number): unknown {
    const read = readPayload(served.request, frame, start, end);
    if (read.ok) return read.value;
    throw new WiringError(
      "INVALID_REQUEST",
      `${served.method.name}: the request does not fit the contract: ${read.why}`,
    );
  }

  #run(id: number, served: Served, request: unknown, deadlineMs: number, size: number): void {
    const { hosted } = served;
    const context = new Context(this.#parts.peer, deadlineMs);
    const result = hosted.run(served.method, request, context);
    if (!isPromise(result)) {
      this.#reply(id, served, result);
      return;
    }
    const { room } = this.#parts;
    const running: Running = { hosted, context, size, counted: true };
    room.take(running);
    this.#running.set(id, running);
    const settled = (): boolean => {
      room.give(running);
      return this.#running.get(id) === running && this.#running.delete(id);
    };
    result.then(
      (reply) => {
        if (settled()) this.#reply(id, served, reply); // W4
        hosted.finished();
      },
      (thrown: unknown) => {
        if (settled()) this.#fail(id, hosted, thrown);
        hosted.finished();
      },
    );
  }

  /** The caller has given up. */
  cancel(id: number): void {
    const running = this.#running.get(id);
    if (running) this.#giveUp(id, running, "the caller has given up");
  }

  /** The peer is gone, or one of our instances leaves. @param of Default: all. */
  abort(reason: string, of?: HostedService): void {
    for (const [id, running] of this.#running) if (!of || running.hosted === of) this.#giveUp(id, running, reason);
  }

  #giveUp(id: number, running: Running, reason: string): void {
    const { room, clock } = this.#parts;
    this.#running.delete(id);
    room.givenUp(running, clock.nowMs());
    running.context.abort(new WiringError("CANCELLED", reason));
  }

  #reply(id: number, served: Served, reply: unknown): void {
    const { hosted } = served;
    if (this.#parts.replyQuickly(id, served.reply, reply)) {
      hosted.served.ok(1);
      return;
    }
    let payload: Uint8Array;
    try {
      payload = encodePayload(reply);
    } catch (error) {
      this.#fail(id, hosted, error);
      return;
    }
    const { limits } = this.#parts;
    if (payload.length > limits.messageBytesMax) {
      const text = `${served.method.name}: the reply has ${payload.length} bytes, the limit is ${limits.messageBytesMax}`;
      this.#fail(id, hosted, new Error(text));
      return;
    }
    hosted.served.ok(1);
    this.#parts.reply(id, payload);
  }

  #fail(id: number, hosted: HostedService | undefined, thrown: unknown): void {
    const failure = handlerFailure(thrown);
    if (failure.sent) hosted?.served.failed(1);
    else hosted?.served.refused(1);
    this.#parts.failure(id, failureToWire(failure));
  }
}
