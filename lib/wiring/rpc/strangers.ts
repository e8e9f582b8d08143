// Strangers: whoever has connected to the listening socket and has not proven yet that it belongs here (handshake.ts).
//
//   frame of a route without a session --> Strangers --hello--> challenge
//                                              |------proof holds--> session (server.ts)
//                                              '------anything else--> goodbye
//
//   T1. Nothing of a session is handled before the proof: no call, no subscription, no credit.
//   T2. A stranger costs little: a bounded number of them is remembered for a bounded time, with a few hundred bytes each; it gets few
//       answers in that time, so what it does not read cannot pile up; a frame that is too large for a handshake is not read at all.
//   T3. Every refusal is counted; each peer is said once, and no more than one a second.

import type { Clock } from "../clock.js";
import type { Log } from "../house.js";
import type { Limits } from "../limits.js";
import type { PeerId } from "../nexus/nexus.js";
import type { Tally } from "../nexus/tally.js";
import { Seldom } from "../seldom.js";
import type { Curve } from "./curve.js";
import { commonProtocol, KIND, PROTOCOL_OLDEST, PROTOCOL_VERSION, REFUSAL } from "./frames.js";
import {
  type Credentials,
  HANDSHAKE_BYTES_MAX,
  type HandshakeMessage,
  handshakeFrame,
  introduced,
  nonce,
  proofOf,
  proves,
  readHandshake,
  readIntroduction,
  type Transcript,
} from "./handshake.js";

/** Of the answers to one stranger while it is remembered: a challenge, a goodbye, and the same once more. */
const ANSWERS_MAX = 4;
/** Smallest window accepted: below it a peer could make us queue everything. */
const WINDOW_BYTES_MIN = 1_024;
/** T3. Peers remembered as said; then it begins anew. */
const NAMED_MAX = 100;
const SAY_MS = 1_000;

export interface Admitted {
  readonly peer: PeerId;
  readonly key: string;
  readonly windowBytes: number;
  readonly understood: number;
}

export interface StrangersParts {
  readonly self: PeerId;
  readonly clock: Clock;
  readonly limits: Limits;
  readonly tally: Tally;
  readonly log: Log;
  readonly credentials: Credentials;
  readonly curve: Curve | undefined;
  /** Of the listening socket. */
  endpoint(): string;
  /** Sessions now. */
  peers(): number;
  send(route: Buffer, frame: Buffer): void;
  admit(route: Buffer, admitted: Admitted): void;
  /** The key of the session that a peer has, if it has one. */
  keyOf(peer: string): string | undefined;
}

interface Stranger {
  readonly route: Buffer;
  readonly untilMs: number;
  answers: number;
  /** What its proof must be of. */
  transcript: Transcript | undefined;
}

type Reason = "secret" | "protocol" | "key" | "crowd" | "hello";

export class Strangers {
  readonly #parts: StrangersParts;
  /** By route, oldest first. */
  readonly #known = new Map<string, Stranger>();
  readonly #named = new Set<string>();
  readonly #seldom: Seldom;

  constructor(parts: StrangersParts) {
    this.#parts = parts;
    this.#seldom = new Seldom(SAY_MS, parts.clock.nowMs);
  }

  /** @throws {FrameError} */
  take(route: Buffer, key: string, frame: Buffer): void {
    const stranger = this.#known.get(key) ?? this.#meet(route, key);
    if (!stranger || stranger.answers >= ANSWERS_MAX) {
      this.#count("crowd");
      return;
    }
    if (frame.length > HANDSHAKE_BYTES_MAX) this.#refuse(stranger, "hello", "say hello first");
    else this.#read(stranger, key, readHandshake(frame));
  }

  #meet(route: Buffer, key: string): Stranger | undefined {
    const { clock, limits } = this.#parts;
    const nowMs = clock.nowMs();
    for (const [old, { untilMs }] of this.#known) {
      if (untilMs > nowMs) break;
      this.#known.delete(old);
    }
    if (this.#known.size >= limits.strangersMax) return undefined;
    const stranger = { route, untilMs: nowMs + limits.handshakeMs, answers: 0, transcript: undefined };
    this.#known.set(key, stranger);
    return stranger;
  }

  #read(stranger: Stranger, key: string, message: HandshakeMessage | undefined): void {
    if (message?.kind === KIND.hello && !stranger.transcript) this.#challenge(stranger, message);
    else if (message?.kind === KIND.proof && stranger.transcript) this.#judge(stranger, key, message.payload);
    else if (message?.kind !== KIND.goodbye) this.#refuse(stranger, "hello", "say hello first");
  }

  #challenge(stranger: Stranger, { id: understood, a: offered, b: windowBytes, payload }: HandshakeMessage): void {
    const { self, limits, curve, credentials, endpoint } = this.#parts;
    const { windowBytes: b } = limits;
    const protocol = commonProtocol(offered);
    if (protocol === undefined) {
      const why = `protocol ${offered} is not spoken here, ${PROTOCOL_OLDEST} to ${PROTOCOL_VERSION} are: upgrade the caller, one version at a time`;
      this.#refuse(stranger, "protocol", why);
      return;
    }
    const caller = readIntroduction(payload.toString("latin1"), windowBytes)?.who;
    if (!caller || windowBytes < WINDOW_BYTES_MIN) {
      this.#refuse(stranger, "hello", "a hello without sense");
      return;
    }
    if (curve && !(caller.key !== "" && (curve.allowed?.admits(caller.key) ?? true))) {
      this.#refuse(stranger, "key", "its key is not on the list of allowed keys (curve.allow)", caller.id);
      return;
    }
    if (this.#crowded(stranger)) return;
    const listener = { id: self, nonce: nonce(), key: curve?.publicKey ?? "", windowBytes: b };
    const transcript = { endpoint: endpoint(), understood, offered, protocol, caller, listener };
    const proof = proofOf("listener", credentials, transcript, curve);
    if (!proof) {
      this.#refuse(stranger, "key", "its key is none", caller.id);
      return;
    }
    stranger.transcript = transcript;
    const answer = { a: protocol, b, payload: introduced(listener, proof) };
    this.#answer(stranger, handshakeFrame(KIND.challenge, answer));
  }

  #judge(stranger: Stranger, key: string, proof: Buffer): void {
    const { transcript, route } = stranger;
    const { credentials, curve, admit, keyOf } = this.#parts;
    if (!transcript) return;
    stranger.transcript = undefined; // A challenge is answered once.
    const { caller, understood } = transcript;
    if (!proves(proof, "caller", credentials, transcript, curve)) {
      const why =
        "it does not know the secret of this installation, or names another cluster: give both sides the same file (wiring.secretFile) and the same `cluster`";
      this.#refuse(stranger, "secret", why, caller.id);
    } else if ((keyOf(caller.id) ?? caller.key) !== caller.key) {
      this.#refuse(stranger, "key", "a process with this id is connected by another key", caller.id);
    } else if (!this.#crowded(stranger)) {
      this.#known.delete(key);
      admit(route, { peer: caller.id as PeerId, key: caller.key, windowBytes: caller.windowBytes, understood });
    }
  }

  #crowded(stranger: Stranger): boolean {
    const peers = this.#parts.peers();
    if (peers < this.#parts.limits.peersMax) return false;
    this.#refuse(stranger, "crowd", `${peers} processes are connected already`);
    return true;
  }

  /** @param peer Who it says it is, when that is worth a line. */
  #refuse(stranger: Stranger, reason: Reason, why: string, peer?: string): void {
    stranger.transcript = undefined;
    this.#count(reason);
    const id = reason === "secret" || reason === "key" ? REFUSAL.unauthenticated : 0;
    this.#answer(stranger, handshakeFrame(KIND.goodbye, { id, payload: Buffer.from(why) }));
    if (peer !== undefined) this.#say(peer, reason, why);
  }

  #answer(stranger: Stranger, frame: Buffer): void {
    stranger.answers += 1; // T2
    this.#parts.send(stranger.route, frame);
  }

  #count(reason: Reason): void {
    this.#parts.tally.count("wiring.peers_refused", { side: "caller", reason });
  }

  /** T3 */
  #say(peer: string, reason: Reason, why: string): void {
    if (this.#named.has(peer)) return;
    const unsaid = this.#seldom.pass();
    if (unsaid === undefined) return;
    if (this.#named.size >= NAMED_MAX) this.#named.clear();
    this.#named.add(peer);
    this.#parts.log.warn({ peer, reason, unsaid }, `a caller was refused: ${why}`);
  }
}
