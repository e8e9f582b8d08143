// Session: one other process at the listening end, from its hello to its goodbye.
//
// Its messages come through server.ts, which owns the socket; what it is told goes through its own outbox.
//
//   V1. Nothing that a peer sends harms another peer or the process: it is refused, counted, and at worst the session ends.
//   V2. When the session ends, every hosted service that the peer called or subscribed to is told once (onPeerGone), after
//       its subscriptions are gone and its requests in work are aborted.

import type { Clock } from "../clock.js";
import { WiringError } from "../errors.js";
import type { Limits } from "../limits.js";
import { failureToWire } from "../nexus/failure.js";
import type { HostedService } from "../nexus/hosted.js";
import type { PeerId } from "../nexus/nexus.js";
import type { Tally } from "../nexus/tally.js";
import { checkFrame, type FrameSink, KIND, walkFrame } from "./frames.js";
import { Inbox } from "./inbox.js";
import { Lateness } from "./lateness.js";
import { type Flusher, Lane, Outbox } from "./outbox.js";
import { RemoteSubscriber } from "./push.js";
import { findMethod, type Named, Work, type WorkRoom } from "./work.js";

export interface SessionParts {
  readonly peer: PeerId;
  /** Its public CURVE key; empty without CURVE. */
  readonly key: string;
  readonly windowBytes: number;
  /** The peer understands KIND.pushes. */
  readonly runs: boolean;
  readonly clock: Clock;
  readonly limits: Limits;
  readonly flusher: Flusher;
  readonly tally: Tally;
  readonly room: WorkRoom;
  hosted(instanceId: string): HostedService | undefined;
  transmit(frame: Buffer): void;
  /** The session cannot go on. */
  cutOff(session: Session, reason: string): void;
}

interface Subscription {
  readonly hosted: HostedService;
  readonly push: string;
  readonly subscriber: RemoteSubscriber;
}

export class Session implements FrameSink {
  readonly peer: PeerId;
  readonly key: string;
  readonly outbox: Outbox;
  heardMs: number;
  readonly #parts: SessionParts;
  readonly #inbox: Inbox;
  readonly #work: Work;
  readonly #lateness = new Lateness();
  readonly #replies: Lane;
  readonly #pushes: Lane;
  /** Pushes behind the snapshots that are being sent. */
  readonly #behind: Lane;
  readonly #names = new Map<number, Named>();
  readonly #subscriptions = new Map<number, Subscription>();
  readonly #touched = new Set<HostedService>();
  /** A name was refused: there were too many. */
  #unnamed = false;
  #frame: Buffer = Buffer.alloc(0);
  /** When the frame at hand arrived, less the time that it lay unread. */
  #arrivedMs = 0;
  #ended = false;

  constructor(parts: SessionParts) {
    const { clock, limits, flusher, transmit } = parts;
    this.#parts = parts;
    this.peer = parts.peer;
    this.key = parts.key;
    this.heardMs = clock.nowMs();
    this.#replies = new Lane(limits.replyQueueBytes);
    this.#pushes = new Lane(limits.pushQueueBytes);
    this.#behind = new Lane(limits.pushQueueBytes / 2); // So that afterwards they leave the other half of theirs free.
    const roomier = () => this.#mend();
    this.outbox = new Outbox(
      { flusher, frameBytes: limits.frameBytes, nowMs: clock.nowMs, transmit, roomier },
      parts.windowBytes,
    );
    this.#inbox = new Inbox(this.outbox, parts.windowBytes);
    this.#work = new Work({
      ...parts,
      replyQuickly: (id, codec, reply) => this.outbox.write(KIND.reply, id, 0, 0, codec, reply, limits.messageBytesMax),
      reply: (id, payload) => this.#answer(KIND.reply, id, payload),
      failure: (id, wire) => this.#answer(KIND.failure, id, Buffer.from(wire)),
    });
  }

  /** @throws {FrameError} */
  take(frame: Buffer): void {
    const nowMs = this.#parts.clock.nowMs();
    this.heardMs = nowMs;
    this.#frame = frame;
    this.#arrivedMs = nowMs - this.#lateness.of(checkFrame(frame), nowMs);
    walkFrame(frame, this);
    this.#inbox.took(frame.length);
  }

  message(kind: number, id: number, a: number, b: number, start: number, end: number): void {
    if (this.#ended) return;
    if (kind === KIND.request) this.#request(id, a, b, start, end);
    else if (kind === KIND.credit) this.outbox.credit(a, b);
    else if (kind === KIND.cancel) this.#work.cancel(id);
    else if (kind === KIND.ping) this.outbox.control(KIND.pong);
    else if (kind === KIND.name) this.#name(id, start, end);
    else if (kind === KIND.subscribe) this.#subscribe(id, start, end);
    else if (kind === KIND.unsubscribe) this.#unsubscribe(id);
    else if (kind === KIND.resync) this.#subscriptions.get(id)?.subscriber.resync();
    else if (kind === KIND.ask) this.#asked(this.#frame.toString("utf8", start, end));
    else if (kind === KIND.goodbye) this.#parts.cutOff(this, "it said goodbye");
  }

  /** One of our instances leaves. */
  withdraw(hosted: HostedService): void {
    this.#work.abort(`${hosted.id} was closed`, hosted);
    for (const [id, subscription] of this.#subscriptions) {
      if (subscription.hosted !== hosted) continue;
      this.#subscriptions.delete(id);
      subscription.subscriber.close();
    }
    for (const [name, { instanceId }] of this.#names) if (instanceId === hosted.id) this.#names.delete(name);
    this.#touched.delete(hosted);
    this.outbox.enqueue(this.#replies, KIND.withdrawn, 0, 0, 0, Buffer.from(hosted.id)); // Behind the replies.
  }

  /** The peer is gone, or is sent away. Safe twice. */
  end(reason: string): void {
    if (this.#ended) return;
    this.#ended = true;
    this.outbox.close();
    this.#work.abort(`its caller is gone: ${reason}`);
    for (const { hosted, push, subscriber } of this.#subscriptions.values()) {
      subscriber.close();
      hosted.unsubscribe(push, subscriber);
    }
    this.#subscriptions.clear();
    for (const hosted of this.#touched) hosted.peerGone(this.peer); // V2
    this.#touched.clear();
  }

  #answer(kind: number, id: number, payload: Uint8Array): void {
    if (this.outbox.offer(this.#replies, kind, id, 0, 0, payload) || this.#ended) return;
    this.#parts.cutOff(this, `${this.#replies.bytes} bytes of replies wait for it and it does not read`);
  }

  #name(id: number, start: number, end: number): void {
    if (this.#names.size >= this.#parts.limits.namesMax) {
      this.#unnamed = true;
      return;
    }
    const [instanceId = "", method = ""] = this.#frame.toString("utf8", start, end).split("\n", 2);
    this.#names.set(id, { instanceId, method, found: undefined });
  }

  #request(id: number, name: number, budgetMs: number, start: number, end: number): void {
    const named = this.#names.get(name);
    if (!named) {
      const why = this.#unnamed
        ? `OVERLOADED\n${this.#names.size} methods are named on this link already, which is the limit (namesMax)`
        : `NO_INSTANCE\nits instance has left this process, or the name ${name} was never declared on this link`;
      this.#answer(KIND.failure, id, Buffer.from(why));
      return;
    }
    if (!named.found) this.#resolve(named);
    this.#work.begin(id, named, this.#arrivedMs + budgetMs, this.#frame, start, end);
  }

  #resolve(named: Named): void {
    const hosted = this.#parts.hosted(named.instanceId);
    if (!hosted) return;
    named.found = findMethod(hosted, named.method);
    this.#touched.add(hosted);
  }

  #subscribe(id: number, start: number, end: number): void {
    const { limits, runs } = this.#parts;
    const [instanceId = "", push = ""] = this.#frame.toString("utf8", start, end).split("\n", 2);
    const hosted = this.#parts.hosted(instanceId);
    if (!hosted) {
      this.outbox.control(KIND.withdrawn, 0, 0, 0, Buffer.from(instanceId));
      return;
    }
    if (this.#subscriptions.has(id)) return;
    if (this.#subscriptions.size >= limits.peerSubscriptionsMax) {
      const why = `${this.#subscriptions.size} subscriptions of this process are open already; close some, or share one`;
      this.#refuse(id, new WiringError("OVERLOADED", why));
      return;
    }
    const refusal = hosted.refusesPush(push);
    if (refusal) {
      this.#refuse(id, refusal);
      return;
    }
    const { outbox } = this;
    const parts = { outbox, lane: this.#pushes, behind: this.#behind, bytesMax: limits.messageBytesMax, runs };
    const subscriber = new RemoteSubscriber(this.peer, id, parts);
    this.#touched.add(hosted);
    this.outbox.control(KIND.subscribed, id);
    this.#subscriptions.set(id, { hosted, push, subscriber });
    hosted.subscribe(push, subscriber);
  }

  #asked(instanceId: string): void {
    if (!this.#parts.hosted(instanceId)) this.outbox.control(KIND.withdrawn, 0, 0, 0, Buffer.from(instanceId));
  }

  #refuse(id: number, why: WiringError): void {
    this.outbox.control(KIND.refused, id, 0, 0, Buffer.from(failureToWire(why)));
  }

  #unsubscribe(id: number): void {
    const subscription = this.#subscriptions.get(id);
    this.#subscriptions.delete(id);
    subscription?.subscriber.close();
    subscription?.hosted.unsubscribe(subscription.push, subscription.subscriber);
  }

  #mend(): void {
    for (const { subscriber } of this.#subscriptions.values()) subscriber.mend();
  }
}
