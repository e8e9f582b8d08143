// Link: our connection to one other process, the asking end: a DEALER socket of its own, so that balancing is ours.
//
//   connecting --challenge--> proving --welcome--> live --disconnect | goodbye | silence--> closed
//        '------refused | no welcome in time----------------------------------------------------^
//
// A link lives once. When it is closed, links.ts opens another one if the process should still be there, with another
// routing id: what the old one left unread can never be taken for an answer to the new one.
//
//   L1. A dead process is noticed by its socket: ZeroMQ's monitor tells of the disconnect within milliseconds. Its
//       heartbeat, which runs off the event loop, tells of a machine that vanished.
//   L2. Nothing of a caller goes to ZeroMQ before the welcome, and nothing of the peer's is handled before it has proven that it belongs
//       to this installation (handshake.ts): what waits for a connection was not sent.
//       What it had not taken yet is dropped with it at once. A socket that lingers reads no more, and libzmq 4.3.5 aborts the process
//       at its next heartbeat when the peer's end comes then (`Assertion failed: !_io_error`, stream_engine_base.cpp:310).
//   L3. Once closed, nothing reaches the owner, and every call is settled or elsewhere.

import { Dealer, type SocketOptions } from "zeromq";
import { messageOf } from "../../thrown.js";
import { isIPv6Endpoint } from "../address.js";
import type { Clock } from "../clock.js";
import type { Log } from "../house.js";
import { frameBytesMax, type Limits, RECEIVE_HIGH_WATER_MARK } from "../limits.js";
import type { PeerId } from "../nexus/nexus.js";
import { CallDesk } from "./call-desk.js";
import { type Curve, dealerCurve } from "./curve.js";
import {
  commonProtocol,
  FrameError,
  type FrameSink,
  joined,
  KIND,
  PROTOCOL_OLDEST,
  PROTOCOL_VERSION,
  REFUSAL,
  readFrame,
  UNDERSTOOD,
} from "./frames.js";
import {
  type Credentials,
  type HandshakeMessage,
  handshakeFrame,
  introduced,
  nonce,
  proofOf,
  proves,
  readHandshake,
  readIntroduction,
} from "./handshake.js";
import { Inbox } from "./inbox.js";
import { type Flusher, Outbox } from "./outbox.js";
import { Sender } from "./sender.js";
import { Streams } from "./streams.js";

export interface LinkParts {
  readonly clock: Clock;
  readonly limits: Limits;
  readonly flusher: Flusher;
  readonly log: Log;
  readonly curve: Curve | undefined;
  readonly credentials: Credentials;
  readonly self: PeerId;
  /** Where to connect to reach an endpoint; default: there. */
  readonly dial?: ((endpoint: string) => string) | undefined;
  /** A frame or message was refused. */
  malformed(why: string): void;
}

/** Who keeps the link (nexus/links.ts). */
export interface LinkOwner {
  up(link: Link): void;
  /** Called before the link's calls fail, so that their next attempt goes elsewhere. `left`: the peer said goodbye. */
  down(link: Link, reason: string, left: boolean): void;
  /** Called before `down`: the two do not know the same secret. */
  refused(link: Link, reason: string): void;
  /** An instance behind the link has left; its process lives on. */
  withdrawn(link: Link, instanceId: string): void;
}

export interface LinkAddress {
  readonly endpoint: string;
  readonly curveKey: string | undefined;
  /** Counts this process' links, for the routing id. */
  readonly serial: number;
}

export class Link implements FrameSink {
  readonly calls: CallDesk;
  readonly streams: Streams;
  readonly #parts: LinkParts;
  readonly #owner: LinkOwner;
  readonly #socket: Dealer;
  readonly #sender: Sender<Buffer>;
  readonly #outbox: Outbox;
  readonly #inbox: Inbox;
  readonly #nonce = nonce();
  #state: "connecting" | "proving" | "live" | "closed" = "connecting";
  #frame: Buffer = Buffer.alloc(0);
  #heardMs: number;
  #stopTimer: () => void;

  constructor(
    readonly address: LinkAddress,
    parts: LinkParts,
    owner: LinkOwner,
  ) {
    const { clock, limits, flusher } = parts;
    this.#parts = parts;
    this.#owner = owner;
    this.#socket = new Dealer(socketOptions(parts, address));
    this.#sender = new Sender<Buffer>(this.#socket, () => this.#lost("its socket takes nothing any more"));
    this.#outbox = new Outbox(
      { flusher, frameBytes: limits.frameBytes, nowMs: clock.nowMs, transmit: (frame) => this.#sender.send(frame) },
      limits.windowBytes,
    );
    this.#inbox = new Inbox(this.#outbox, limits.windowBytes);
    this.calls = new CallDesk({ outbox: this.#outbox, clock, limits });
    this.streams = new Streams(this.#outbox, parts.malformed);
    this.#heardMs = clock.nowMs();
    this.#stopTimer = clock.after(limits.handshakeMs, () => this.#lost("it did not answer the handshake"));
    this.#connect();
  }

  get live(): boolean {
    return this.#state === "live";
  }

  /** Is this instance one of the process there? If not, it says that it is withdrawn. */
  askFor(instanceId: string): void {
    this.#outbox.control(KIND.ask, 0, 0, 0, Buffer.from(instanceId));
  }

  /** Says goodbye and goes. Calls in flight are not settled: whoever closes has settled them. Safe twice. */
  async close(): Promise<void> {
    if (this.#state === "closed") return;
    if (this.live) this.#outbox.control(KIND.goodbye);
    await this.#shut();
  }

  #connect(): void {
    const { dial = (endpoint) => endpoint } = this.#parts;
    const { events } = this.#socket;
    events.on("disconnect", () => this.#lost("its connection broke"));
    events.on("close", () => this.#lost("nobody listens at its address")); // Refused: there is no reconnecting.
    events.on("handshake:error:protocol", ({ error }) => this.#lost(`its handshake failed: ${error.message}`));
    events.on("handshake:error:auth", ({ error }) => this.#lost(`it refused our key: ${error.message}`));
    events.on("handshake:error:other", ({ error }) => this.#lost(`its handshake failed: ${error.message}`));
    try {
      this.#socket.connect(dial(this.address.endpoint));
    } catch (error) {
      queueMicrotask(() => this.#lost(`its address cannot be used: ${messageOf(error)}`));
      return;
    }
    const me = this.#introduction();
    const head = { id: UNDERSTOOD.pushes, a: PROTOCOL_VERSION, b: me.windowBytes };
    this.#sender.send(handshakeFrame(KIND.hello, { ...head, payload: introduced(me) }));
    void this.#receive();
  }

  #introduction() {
    const { self, curve, limits } = this.#parts;
    return { id: self, nonce: this.#nonce, key: curve?.publicKey ?? "", windowBytes: limits.windowBytes };
  }

  async #receive(): Promise<void> {
    try {
      for (;;) {
        const [frame] = await this.#socket.receive();
        if (frame) this.#take(frame);
      }
    } catch (error) {
      if (this.#state !== "closed") this.#lost(`its socket failed: ${messageOf(error)}`);
    }
  }

  #take(frame: Buffer): void {
    this.#heardMs = this.#parts.clock.nowMs();
    this.#frame = frame;
    try {
      if (this.#state === "connecting") this.#greeted(readHandshake(frame));
      else readFrame(frame, this);
    } catch (error) {
      if (!(error instanceof FrameError)) throw error;
      this.#parts.malformed(`a frame from ${this.address.endpoint} was dropped: ${error.message}`);
    }
    if (this.live) this.#inbox.took(frame.length);
  }

  /** The peer must prove first: it gets no proof of ours otherwise. */
  #greeted(message: HandshakeMessage | undefined): void {
    if (message?.kind === KIND.goodbye) this.#goodbye(message.id, message.payload.toString());
    if (message?.kind !== KIND.challenge || this.#state !== "connecting") return;
    const { a: protocol, b: windowBytes, payload } = message;
    const { credentials, curve } = this.#parts;
    if (commonProtocol(protocol) !== protocol) {
      this.#lost(`it speaks protocol ${protocol}, this process speaks ${PROTOCOL_OLDEST} to ${PROTOCOL_VERSION}`);
      return;
    }
    const listener = readIntroduction(payload.toString("latin1"), windowBytes);
    const transcript = listener && {
      ...{ endpoint: this.address.endpoint, understood: UNDERSTOOD.pushes, offered: PROTOCOL_VERSION, protocol },
      ...{ caller: this.#introduction(), listener: { ...listener.who, key: this.address.curveKey ?? "" } },
    };
    const proof = transcript && proofOf("caller", credentials, transcript, curve);
    if (!proof || !proves(listener.proof, "listener", credentials, transcript, curve)) {
      this.#refused("it does not know the secret of this installation, or belongs to another cluster");
      return;
    }
    this.#state = "proving";
    this.#sender.send(handshakeFrame(KIND.proof, { payload: proof }));
  }

  #goodbye(refusal: number, why: string): void {
    if (refusal === REFUSAL.unauthenticated) this.#refused(why);
    else this.#lost(`it said goodbye: ${why || "closing"}`, true);
  }

  #refused(reason: string): void {
    if (this.#state === "closed") return;
    this.#owner.refused(this, reason);
    this.#lost(`refused: ${reason}`);
  }

  message(kind: number, id: number, a: number, b: number, start: number, end: number): void {
    if (this.#state === "closed") return; // L3: the rest of a frame whose goodbye was read.
    if (this.#state === "proving" && kind !== KIND.welcome && kind !== KIND.goodbye) return; // L2
    const frame = this.#frame;
    if (kind === KIND.reply) {
      if (!this.calls.reply(id, frame, start, end))
        this.#parts.malformed(`an invalid reply from ${this.address.endpoint}`);
    } else if (kind === KIND.push) this.streams.message(id, joined(a, b), frame, start, end);
    else if (kind === KIND.pushes) this.streams.run(id, joined(a, b), frame, start, end);
    else if (kind === KIND.credit) this.#outbox.credit(a, b);
    else if (kind === KIND.failure) this.calls.failure(id, frame.toString("utf8", start, end));
    else if (kind === KIND.subscribed) this.streams.begun(id);
    else if (kind === KIND.refused) this.streams.refused(id, frame.toString("utf8", start, end));
    else if (kind === KIND.hole) this.streams.hole(id, joined(a, b));
    else if (kind === KIND.ping) this.#outbox.control(KIND.pong);
    else if (kind === KIND.welcome) this.#welcome(b);
    else if (kind === KIND.withdrawn) this.#owner.withdrawn(this, frame.toString("utf8", start, end));
    else if (kind === KIND.goodbye) this.#goodbye(this.live ? 0 : id, frame.toString("utf8", start, end));
  }

  #welcome(windowBytes: number): void {
    if (this.#state !== "proving") return;
    this.#state = "live";
    const window = Math.min(windowBytes, this.#parts.limits.windowBytes); // The smaller one holds, in both directions.
    this.#outbox.window = window;
    this.#inbox.window = window;
    this.#stopTimer();
    this.#watch();
    this.#owner.up(this);
  }

  /** Pings, so that both ends of an idle link hear of each other; and the last resort against a peer that is connected and dumb. */
  #watch(): void {
    const { clock, limits } = this.#parts;
    const dueMs = clock.nowMs() + limits.pingMs;
    this.#stopTimer = clock.after(limits.pingMs, () => {
      const nowMs = clock.nowMs();
      const stalled = nowMs - dueMs > limits.pingMs; // Our own event loop was blocked: what it missed is not the peer's fault.
      if (!stalled && nowMs - this.#heardMs > limits.silenceMs) {
        this.#lost(`nothing came from it for ${limits.silenceMs} ms`);
        return;
      }
      this.#outbox.control(KIND.ping);
      this.#watch();
    });
  }

  #lost(reason: string, left = false): void {
    if (this.#state === "closed") return;
    this.#socket.linger = 0; // L1
    void this.#shut();
    this.#owner.down(this, reason, left);
    this.calls.lose(`${this.address.endpoint} is lost: ${reason}`);
  }

  async #shut(): Promise<void> {
    this.#state = "closed";
    this.#stopTimer();
    this.streams.close();
    this.#outbox.flush();
    this.#outbox.close();
    await this.#sender.idle();
    this.#socket.close();
  }
}

function socketOptions(parts: LinkParts, address: LinkAddress): SocketOptions<Dealer> {
  const { limits, self, curve } = parts;
  return {
    routingId: `${self}/${address.serial}`,
    sendTimeout: 0,
    sendHighWaterMark: 0, // The outbox bounds it, in bytes.
    receiveHighWaterMark: RECEIVE_HIGH_WATER_MARK,
    linger: limits.lingerMs,
    reconnectInterval: -1, // Reconnecting is links.ts' business.
    connectTimeout: limits.handshakeMs,
    heartbeatInterval: limits.heartbeatMs / 4,
    heartbeatTimeout: limits.heartbeatMs,
    maxMessageSize: frameBytesMax(limits),
    ipv6: isIPv6Endpoint(address.endpoint),
    ...dealerCurve(curve, address.curveKey),
  };
}
