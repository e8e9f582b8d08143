// Call desk: the calls that one link carries, at the asking end.
//
//   begin --> fits the outbox? --> frame (sent) --> reply | failure | link lost
//                  |no
//                  v
//               waiting (not sent) --> its turn | deadline | link lost
//
//   A1. A request past its deadline is not sent.
//   A2. A call that was put into a frame may have run; one that waits has not.
//   A3. A reply is validated once, here, against the caller's contract.

import { messageOf } from "../../thrown.js";
import type { Clock } from "../clock.js";
import type { Limits } from "../limits.js";
import type { Call } from "../nexus/call.js";
import { CallFailure, failureFromWire } from "../nexus/failure.js";
import { KIND } from "./frames.js";
import { Lane, type Outbox, type Waiting } from "./outbox.js";
import { encodePayload } from "./payload.js";
import { Slots } from "./slots.js";
import { readPayload } from "./validate.js";

export interface CallDeskParts {
  readonly outbox: Outbox;
  readonly clock: Clock;
  readonly limits: Limits;
}

export class CallDesk {
  readonly #parts: CallDeskParts;
  readonly #lane: Lane;
  readonly #sent = new Slots<Call>();
  readonly #waiting = new Map<Call, Waiting>();
  #lastName = 0;

  constructor(parts: CallDeskParts) {
    this.#parts = parts;
    this.#lane = new Lane(parts.limits.requestQueueBytes);
  }

  /** Gives a method of an instance its short name on this link. */
  name(instanceId: string, method: string): number {
    this.#lastName += 1;
    this.#parts.outbox.control(KIND.name, this.#lastName, 0, 0, Buffer.from(`${instanceId}\n${method}`));
    return this.#lastName;
  }

  begin(call: Call, name: number): void {
    if (!this.#sendQuickly(call, name)) this.#sendEncoded(call, name);
  }

  /** Encodes the request right in the frame. @returns false: that cannot be, and nothing has happened. */
  #sendQuickly(call: Call, name: number): boolean {
    const { outbox, limits } = this.#parts;
    const budgetMs = Math.ceil(call.deadlineMs - (call.justMadeMs || this.#parts.clock.nowMs()));
    if (budgetMs <= 0) return false;
    const id = this.#begun(call);
    if (outbox.write(KIND.request, id, name, budgetMs, call.method.request, call.request, limits.messageBytesMax))
      return true;
    this.#sent.take(id);
    call.id = 0;
    call.sent = false;
    return false;
  }

  #sendEncoded(call: Call, name: number): void {
    const { outbox, limits } = this.#parts;
    let payload: Uint8Array;
    try {
      payload = encodePayload(call.request);
    } catch (error) {
      const why = `${call}: the request does not fit the contract: ${messageOf(error)}`;
      call.fail(new CallFailure("INVALID_REQUEST", why, { cause: error }));
      return;
    }
    if (payload.length > limits.messageBytesMax) {
      const text = `${call}: the request has ${payload.length} bytes, the limit is ${limits.messageBytesMax}; split it`;
      call.fail(new CallFailure("INVALID_REQUEST", text));
    } else if (outbox.fits(payload.length)) this.#send(call, name, payload);
    else this.#wait(call, name, payload);
  }

  #send(call: Call, name: number, payload: Uint8Array): void {
    const budgetMs = this.#budgetMs(call);
    if (budgetMs <= 0)
      call.expire(); // A1
    else this.#parts.outbox.put(KIND.request, this.#begun(call), name, budgetMs, payload);
  }

  #budgetMs(call: Call): number {
    return Math.ceil(call.deadlineMs - this.#parts.clock.nowMs());
  }

  /** Into the books before into the frame: a socket that is dead says so at once. @returns the call's id. */
  #begun(call: Call): number {
    call.sent = true; // A2
    call.id = this.#sent.add(call);
    return call.id;
  }

  #wait(call: Call, name: number, payload: Uint8Array): void {
    if (this.#lane.bytes + payload.length > this.#lane.bytesMax) {
      const text = `${call}: ${this.#lane.bytes} bytes of requests wait for ${call.target?.instance.id} already`;
      call.fail(new CallFailure("OVERLOADED", text));
      return;
    }
    const waiting: Waiting = {
      lane: this.#lane,
      size: payload.length,
      write: () => {
        this.#waiting.delete(call);
        this.#send(call, name, payload);
      },
    };
    this.#waiting.set(call, waiting);
    this.#parts.outbox.wait(waiting);
  }

  /** Nobody waits for it any more. */
  abandon(call: Call): void {
    const waiting = this.#waiting.get(call);
    if (waiting) {
      this.#waiting.delete(call);
      this.#parts.outbox.withdraw(waiting);
    } else if (this.#sent.take(call.id)) this.#parts.outbox.control(KIND.cancel, call.id);
  }

  /** @returns false: the reply made no sense. */
  reply(id: number, frame: Buffer, start: number, end: number): boolean {
    const call = this.#sent.take(id);
    if (!call) return true; // Given up meanwhile.
    const read = readPayload(call.method.reply, frame, start, end); // A3
    if (read.ok) {
      call.succeed(read.value);
      return true;
    }
    const text = `${call}: the reply of ${call.target?.instance.id} does not fit the contract: ${read.why}`;
    call.fail(new CallFailure("INVALID_REPLY", text));
    return false;
  }

  failure(id: number, wire: string): void {
    this.#sent.take(id)?.fail(failureFromWire(wire));
  }

  /** The link, or one instance behind it, is gone. @param lost Which calls; default all. */
  lose(reason: string, lost: (call: Call) => boolean = () => true): void {
    const waiting = [...this.#waiting.keys()].filter(lost);
    const sent = this.#sent.all().filter(lost);
    // Out of the books first: what fails now may begin anew at once, elsewhere.
    for (const call of waiting) this.abandon(call);
    for (const call of sent) this.#sent.take(call.id);
    for (const call of sent) call.fail(new CallFailure("DISCONNECTED", `${call}: ${reason}, with the call in flight`));
    for (const call of waiting)
      call.fail(new CallFailure("NO_INSTANCE", `${call}: ${reason}, before the request was sent`));
  }
}
