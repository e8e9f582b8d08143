// Target: a live instance as calls and subscriptions see it, whether it is in this process (local.ts) or across a link
// (remote.ts). What stands above (dispatch, balance, subscription) does not know which; that is promise N1.

import type { MethodSpec, PushSpec } from "../contract.js";
import type { Instance } from "../discovery/instance.js";
import type { WiringError } from "../errors.js";
import type { Breaker } from "../guard/breaker.js";
import type { Codec } from "../quick/codec.js";
import type { Call } from "./call.js";
import type { Dispatch } from "./dispatch.js";

export interface Target {
  /** The newest description; its state decides whether it is callable. */
  readonly instance: Instance;
  readonly local: boolean;
  /** Calls begun here and not ended: what balancing compares. Kept by dispatch. */
  outstanding: number;
  readonly breaker: Breaker;
  /** In this process: a call without options, answered without a Call when its handler answers at once. */
  direct?(dispatch: Dispatch, service: string, method: NamedMethod, request: unknown): Promise<unknown> | undefined;
  /** Begins an attempt. It ends, now or later, in exactly one of call.succeed, call.fail, or our abandon(). */
  begin(call: Call): void;
  /** Nobody waits for the call any more: drop it if it is queued, tell the far side if it went out. */
  abandon(call: Call): void;
  /** It has refused a call because it drains: discovery's word of it may still be on its way. */
  refusing(): void;
  /** Begins a stream of a push. */
  subscribe(push: string, spec: PushSpec, sink: PushSink): PushStream;
}

/** The receiving end of one stream: one push of one instance for one subscription. */
export interface PushSink {
  /** The stream has begun; the snapshot, if any, comes next. */
  joined(): void;
  /** In order. Sequence 0: part of a snapshot. */
  message(message: unknown, sequence: number): void;
  gap(expected: number, received: number): void;
  /** There is no stream, and will be none. */
  refused(why: WiringError): void;
}

export interface PushStream {
  /** Nothing reaches the sink after this. Safe twice. */
  close(): void;
}

/** A method as a client's contract describes it, with its name. */
export interface NamedMethod {
  readonly name: string;
  readonly spec: MethodSpec;
  readonly request: Codec;
  readonly reply: Codec;
}
