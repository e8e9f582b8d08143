// Limits: every bound of the wiring by name, with its reason. openNexus takes any of them as options.

import { DURATION_MAX_MS } from "../duration.js";

export interface Limits {
  /** Calls that a client may have under way, waiting ones included. Beyond: OVERLOADED. */
  readonly callsMax: number;
  /** One message's payload, encoded. A job with 4,000 transactions' branch is under 2 kB; a share batch under 1 MB. */
  readonly messageBytesMax: number;
  /** A frame is sent early when it has grown to this, so that the peer works on its beginning while we make its end. */
  readonly frameBytes: number;
  /** What may be under way to a peer before it has read it. More than a loopback round trip can drain at full speed. */
  readonly windowBytes: number;
  /** Requests that wait for a peer's window or for its link. Beyond: OVERLOADED. */
  readonly requestQueueBytes: number;
  /** Pushes that wait for a slow subscriber. Beyond: it sees a gap. */
  readonly pushQueueBytes: number;
  /** Replies that wait for a peer that does not read. Beyond: the peer is cut off; its calls fail with DISCONNECTED. */
  readonly replyQueueBytes: number;
  /** Requests in work at our services, all peers together. Beyond: OVERLOADED. */
  readonly workBytes: number;
  /** The same as a number: small requests cost more than their bytes. */
  readonly workMax: number;
  /** Peers connected to us at once. Beyond: refused. */
  readonly peersMax: number;
  /** Peers that have connected and not proven yet that they belong here. Beyond: not answered. All processes may come back at once. */
  readonly strangersMax: number;
  /** Methods of our instances that one peer may name. Beyond: OVERLOADED. A name is free again when its instance leaves. */
  readonly namesMax: number;
  /** Subscriptions that a process may hold of one service. Beyond: OVERLOADED. One is enough for any number of listeners behind it. */
  readonly subscriptionsMax: number;
  /** Subscriptions that one peer may hold of all our services. Beyond: refused (PushListener.onRefused). */
  readonly peerSubscriptionsMax: number;
  /** How long a request that nobody waits for any more counts as in work while its handler goes on: a handler that hangs must not take its room for ever. */
  readonly givenUpMs: number;
  /** An idle link is pinged this often, so that its two ends know of each other. */
  readonly pingMs: number;
  /** A peer from which nothing has come for this long is gone. Long: a busy process is not a dead one, whose socket tells. */
  readonly silenceMs: number;
  /** Below the messages, ZeroMQ's own heartbeat runs off the event loop: a machine that vanished is noticed within this. */
  readonly heartbeatMs: number;
  /** From the start of a connection to the end of the handshake. */
  readonly handshakeMs: number;
  /** How long a closed socket may go on to deliver what it was given. */
  readonly lingerMs: number;
}

const MIB = 1_048_576;

/** Options win over the defaults. @throws {TypeError} when one of them bounds nothing. */
export function limitsOf(options: Partial<Limits> = {}): Limits {
  const limits = { ...defaultLimits, ...options };
  for (const [name, value] of Object.entries(limits)) {
    const max = name.endsWith("Ms") ? DURATION_MAX_MS : Number.MAX_SAFE_INTEGER;
    if (!(Number.isSafeInteger(value) && value >= 0 && value <= max))
      throw new TypeError(`the limit ${name} is ${String(value)}; expected an integer from 0 to ${max}`);
  }
  return limits;
}

/** The largest frame that is accepted: one message of the largest size behind what a frame may have grown to, also another version's. */
export const frameBytesMax = ({ messageBytesMax, frameBytes }: Limits): number =>
  messageBytesMax + Math.max(8 * frameBytes, MIB / 4) + 1_024;

/**
 * Of ZeroMQ's sockets, in frames; 0: none. What a peer may have under way is bounded by its window, in bytes. At its own default, 1,000
 * frames however small, ZeroMQ stops reading from a peer while we are busy; a peer that it reads no more must not end (L1 of link.ts).
 */
export const RECEIVE_HIGH_WATER_MARK = 0;

export const defaultLimits: Limits = {
  callsMax: 16_384,
  messageBytesMax: 8 * MIB,
  frameBytes: 32 * 1_024,
  windowBytes: 4 * MIB,
  requestQueueBytes: 16 * MIB,
  pushQueueBytes: 4 * MIB,
  replyQueueBytes: 32 * MIB,
  workBytes: 64 * MIB,
  workMax: 65_536,
  peersMax: 1_024,
  strangersMax: 4_096,
  namesMax: 1_024,
  subscriptionsMax: 1_024,
  peerSubscriptionsMax: 8_192,
  givenUpMs: 5_000,
  pingMs: 500,
  silenceMs: 15_000,
  heartbeatMs: 2_000,
  handshakeMs: 2_000,
  lingerMs: 500,
};
