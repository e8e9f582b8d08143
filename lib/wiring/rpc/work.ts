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
    if (room.requests >= limits.workMax || room.bytes + size > limits.workBytes) {
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
    room.requests += 1;
    room.bytes += size;
    this.#running.set(id, { hosted, context });
    const settled = (): boolean => {
      room.requests -= 1;
      room.bytes -= size;
      const wanted = this.#running.get(id)?.context === context && this.#running.delete(id);
      return wanted;
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
    this.#running.delete(id);
    running?.context.abort(new WiringError("CANCELLED", "the caller has given up"));
  }

  /** The peer is gone, or one of our instances leaves. @param of Default: all. */
  abort(reason: string, of?: HostedService): void {
    for (const [id, { hosted, context }] of this.#running) {
      if (of && hosted !== of) continue;
      this.#running.delete(id);
      context.abort(new WiringError("CANCELLED", reason));
    }
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
