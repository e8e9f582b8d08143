// Server: the listening end: one ROUTER socket a process, on a dynamic port, for all services that it hosts.
//
//   ROUTER --(route, frame)--> Session of that route --> work.ts, push.ts
//                        \--> strangers.ts, until it has proven that it belongs to this installation
//
//   Q1. A peer that is gone is noticed at once: `mandatory` makes a send to it fail, and when the monitor tells that some
//       connection broke, every peer is sent a ping to learn which one.
//   Q2. A frame that is none is counted and dropped; its peer's other frames are not affected.
//   Q3. A frame of an unknown route that is no hello is answered with a goodbye, so that its sender connects anew (strangers.ts).

import { Router } from "zeromq";
import { messageOf } from "../../thrown.js";
import { inEndpoint, isIPv6Endpoint } from "../address.js";
import type { Clock } from "../clock.js";
import type { Log } from "../house.js";
import { frameBytesMax, type Limits, RECEIVE_HIGH_WATER_MARK } from "../limits.js";
import type { HostedService } from "../nexus/hosted.js";
import type { PeerId } from "../nexus/nexus.js";
import type { Tally } from "../nexus/tally.js";
import { type Curve, routerCurve } from "./curve.js";
import { Doorman } from "./doorman.js";
import { FrameError, KIND, PROTOCOL_VERSION, UNDERSTOOD } from "./frames.js";
import { type Credentials, handshakeFrame } from "./handshake.js";
import type { Flusher } from "./outbox.js";
import { Sender } from "./sender.js";
import { Session } from "./session.js";
import { type Admitted, Strangers } from "./strangers.js";
import { WorkRoom } from "./work.js";
import { post } from "./zap.js";

/** After a disconnect; ZeroMQ may take a moment to forget the route. */
const PROBES_MS = [0, 5, 50];
/** Between two probes of all peers, however many connections break: a stranger can break one as often as it likes. */
const PROBE_PAUSE_MS = 5;

export interface ServerParts {
  readonly bind: string;
  readonly self: PeerId;
  readonly clock: Clock;
  readonly limits: Limits;
  readonly flusher: Flusher;
  readonly tally: Tally;
  readonly log: Log;
  readonly curve: Curve | undefined;
  readonly credentials: Credentials;
  malformed(why: string): void;
}

type Parts = [route: Buffer, frame: Buffer];

export class Server {
  readonly #parts: ServerParts;
  readonly #socket: Router;
  readonly #sender: Sender<Parts>;
  /** By route, as a latin1 string. */
  readonly #sessions = new Map<string, Session>();
  readonly #hosted = new Map<string, HostedService>();
  readonly #room = new WorkRoom();
  readonly #strangers: Strangers;
  readonly #timers = new Set<() => void>();
  #probes: (() => void)[] = [];
  #probedMs = Number.NEGATIVE_INFINITY;
  #leavePost: (() => Promise<void>) | undefined;
  #closing: Promise<void> | undefined;

  /** Resolves when the socket is bound. */
  static async open(parts: ServerParts): Promise<Server> {
    const server = new Server(parts);
    const { curve, self } = parts;
    // Before the socket is bound: nobody slips in.
    if (curve?.allowed) server.#leavePost = await post(self, new Doorman(curve.allowed, parts));
    await server.#socket.bind(`tcp://${inEndpoint(parts.bind)}:*`);
    void server.#receive();
    server.#watch();
    return server;
  }

  private constructor(parts: ServerParts) {
    const { limits, curve, self } = parts;
    this.#parts = parts;
    this.#socket = new Router({
      mandatory: true,
      sendTimeout: 0,
      sendHighWaterMark: 0, // The outboxes bound it, in bytes.
      receiveHighWaterMark: RECEIVE_HIGH_WATER_MARK,
      handshakeInterval: limits.handshakeMs, // A connection that does not even speak ZeroMQ ends by then.
      linger: limits.lingerMs,
      heartbeatInterval: limits.heartbeatMs / 4,
      heartbeatTimeout: limits.heartbeatMs,
      maxMessageSize: frameBytesMax(limits),
      ipv6: isIPv6Endpoint(`tcp://${inEndpoint(parts.bind)}`),
      ...routerCurve(curve, self),
    });
    this.#sender = new Sender<Parts>(this.#socket, ([route], error) => {
      this.#end(route.toString("latin1"), `nothing can be sent to it: ${messageOf(error)}`);
    });
    this.#socket.events.on("disconnect", () => this.#probe());
    this.#strangers = new Strangers({
      ...parts,
      endpoint: () => this.endpoint,
      peers: () => this.#sessions.size,
      send: (route, frame) => this.#sender.send([route, frame]),
      admit: (route, admitted) => this.#admit(route, admitted),
      keyOf: (peer) => [...this.#sessions.values()].find((session) => session.peer === peer)?.key,
    });
  }

  /** `tcp://127.0.0.1:40123` */
  get endpoint(): string {
    return this.#socket.lastEndpoint ?? "";
  }

  serve(hosted: HostedService): void {
    this.#hosted.set(hosted.id, hosted);
  }

  withdraw(hosted: HostedService): void {
    if (!this.#hosted.delete(hosted.id)) return;
    for (const session of this.#sessions.values()) session.withdraw(hosted);
  }

  /** Says goodbye to every peer after what still waits for it, as long as the linger allows. Safe twice. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    for (const stop of this.#timers) stop();
    const sessions = [...this.#sessions.values()];
    let stop = (): void => {};
    const patience = new Promise<void>((resolve) => {
      stop = this.#parts.clock.after(this.#parts.limits.lingerMs, resolve);
    });
    await Promise.race([Promise.all(sessions.map((session) => session.outbox.whenEmpty())), patience]);
    stop();
    for (const session of sessions) {
      session.outbox.control(KIND.goodbye);
      session.outbox.flush();
      session.end("we are closing");
    }
    this.#sessions.clear();
    await this.#sender.idle();
    this.#socket.close();
    await this.#leavePost?.();
  }

  async #receive(): Promise<void> {
    try {
      for (;;) {
        const [route, frame, ...rest] = await this.#socket.receive();
        if (route && frame && rest.length === 0) this.#take(route, frame);
        else this.#parts.malformed("a message of the wrong number of parts");
      }
    } catch (error) {
      if (!this.#closing)
        this.#parts.log.error({ err: error }, "the listening socket failed; this process cannot be called any more");
    }
  }

  #take(route: Buffer, frame: Buffer): void {
    const key = route.toString("latin1");
    const session = this.#sessions.get(key);
    try {
      if (session) session.take(frame);
      else this.#strangers.take(route, key, frame); // Q3
    } catch (error) {
      const who = session?.peer ?? "a stranger";
      if (error instanceof FrameError)
        this.#parts.malformed(`a frame from ${who} was dropped: ${error.message}`); // Q2
      else {
        this.#parts.log.error(
          { err: error, peer: who },
          "a peer's frame broke its session, which is a bug here; the others go on",
        );
        this.#end(key, "its frame could not be processed");
      }
    }
  }

  #admit(route: Buffer, { peer, key: publicKey, windowBytes, understood }: Admitted): void {
    const key = route.toString("latin1");
    // A process has one link to us at a time: another one says that it has given the older up.
    for (const [olderKey, older] of this.#sessions) {
      if (older.peer === peer) this.#end(olderKey, "it connected anew");
    }
    const { clock, limits, flusher, tally, self } = this.#parts;
    const session = new Session({
      peer,
      key: publicKey,
      windowBytes: Math.min(windowBytes, limits.windowBytes), // The smaller one holds, in both directions.
      runs: (understood & UNDERSTOOD.pushes) !== 0,
      clock,
      limits,
      flusher,
      tally,
      room: this.#room,
      hosted: (id) => this.#hosted.get(id),
      transmit: (frame) => this.#sender.send([route, frame]),
      cutOff: (_session, reason) => this.#end(key, reason),
    });
    this.#sessions.set(key, session);
    session.outbox.control(KIND.welcome, 0, PROTOCOL_VERSION, limits.windowBytes, Buffer.from(self));
    session.outbox.flush(); // The peer waits for nothing else.
  }

  #end(key: string, reason: string): void {
    const session = this.#sessions.get(key);
    if (!session) return;
    this.#sessions.delete(key);
    this.#parts.log.debug({ peer: session.peer, reason }, "a peer is gone");
    // So that a peer which we cut off notices; to one that is gone it fails, and that is fine.
    this.#sender.send([Buffer.from(key, "latin1"), handshakeFrame(KIND.goodbye, { payload: Buffer.from(reason) })]);
    session.end(reason);
  }

  /** Q1 */
  #probe(): void {
    const waitMs = this.#probedMs + PROBE_PAUSE_MS - this.#parts.clock.nowMs();
    for (const stop of this.#probes) stop(); // Those of this disconnect are enough for the ones before it.
    this.#probes = PROBES_MS.map((ms) =>
      this.#after(Math.max(ms, waitMs), () => {
        this.#probedMs = this.#parts.clock.nowMs();
        for (const session of this.#sessions.values()) {
          session.outbox.control(KIND.ping);
          session.outbox.flush();
        }
      }),
    );
  }

  /** Peers that have fallen silent, although their sockets live. */
  #watch(): void {
    const { clock, limits } = this.#parts;
    const dueMs = clock.nowMs() + limits.pingMs;
    this.#after(limits.pingMs, () => {
      const nowMs = clock.nowMs();
      const stalled = nowMs - dueMs > limits.pingMs; // What our own blocked event loop missed is not the peers' fault.
      for (const [key, session] of this.#sessions) {
        if (!stalled && nowMs - session.heardMs > limits.silenceMs) this.#end(key, "nothing came from it");
      }
      this.#parts.tally.gauge("wiring.peers", this.#sessions.size);
      this.#watch();
    });
  }

  /** @returns the way to call it off. */
  #after(ms: number, run: () => void): () => void {
    const stopTimer = this.#parts.clock.after(ms, () => {
      this.#timers.delete(stop);
      run();
    });
    const stop = () => {
      this.#timers.delete(stop);
      stopTimer();
    };
    this.#timers.add(stop);
    return stop;
  }
}
