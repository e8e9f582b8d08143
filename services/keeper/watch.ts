// Watch: an edge that stands still is killed, so that the next one has its clients within C2's two seconds.
//
//   tick --ping--> edge --pong, or whatever else it says--> heard
//     '-- nothing for silenceMs --> SIGKILL --> the keeper goes on as after any other death of an edge
//
// A process that hangs keeps its sockets, so nobody would ever be told: its clients would wait for good.
//
//   T1. Only who has answered a ping is expected to, or whose first word says what it reaches (K11, which is younger than pings): edges
//       and successors of earlier versions know none (K4 of the contract).
//   T2. Time in which this process itself was late counts as one tick: what edges said meanwhile is still to be read.
//   T3. An edge that takes thousands of clients over on a busy machine may be silent for long, and killing it only makes the next one
//       do the same: after each death the next edge may be silent for twice as long, up to SILENCE_MAX_MS, until for
//       FORGIVEN_MS none was killed and all answer.
//   T4. An edge that has given its clients away and closed its channel is left alone with its goodbyes.

import type { Abilities, EdgeSays, KeeperEvent } from "../../lib/contracts/index.js";

/** An edge, as far as it is watched. */
export interface Watched {
  readonly epoch: number;
  /** False: its channel is closed, and it is about to end. */
  readonly open: boolean;
  /** Asks for a sign of life, out of turn; `sent` is called when that was written. */
  ping(sent: () => void): void;
  signal(name: "SIGTERM" | "SIGKILL"): void;
}

export interface WatchHooks {
  /** Calls back once, later. */
  later(ms: number, what: () => void): unknown;
  nowMs(): number;
  log(event: KeeperEvent, fields?: Readonly<Record<string, unknown>>): void;
}

/** Often enough that a silence is noticed to a tenth of a second; some twenty short messages a second. */
export const TICK_MS = 100;
const SILENCE_MAX_MS = 60_000;
const FORGIVEN_MS = 3_000;

interface Seen {
  quietMs: number;
  /** T1 */
  answers: boolean;
  /** A ping is on its way to it: one at a time, or they would pile up before an edge that stands still. */
  asked: boolean;
  killed: boolean;
}

export class Watch {
  readonly #edges = new Map<Watched, Seen>();
  #allowedMs: number;
  #killedAtMs = Number.NEGATIVE_INFINITY;
  #tickedAtMs: number;

  /** @param silenceMs An edge may say nothing for this long. 0: for ever. */
  constructor(
    private readonly silenceMs: number,
    private readonly hooks: WatchHooks,
  ) {
    this.#allowedMs = silenceMs;
    this.#tickedAtMs = hooks.nowMs();
    if (silenceMs > 0) this.#tickLater();
  }

  /** It said something. From its first word on it is watched. */
  heard(edge: Watched, message: Pick<EdgeSays, "kind"> & Abilities): void {
    const seen = this.#edges.get(edge);
    if (!seen) {
      this.#edges.set(edge, {
        quietMs: 0,
        answers: message.kind === "pong" || message.reaches !== undefined,
        asked: false,
        killed: false,
      });
      return;
    }
    seen.quietMs = 0;
    if (message.kind === "pong") seen.answers = true;
  }

  ended(edge: Watched): void {
    this.#edges.delete(edge);
  }

  #tickLater(): void {
    this.hooks.later(TICK_MS, () => {
      this.#tick();
      this.#tickLater();
    });
  }

  #tick(): void {
    const nowMs = this.hooks.nowMs();
    const passedMs = Math.min(nowMs - this.#tickedAtMs, TICK_MS); // T2
    this.#tickedAtMs = nowMs;
    const quietMs = Math.max(0, ...[...this.#edges.values()].map((seen) => (seen.answers ? seen.quietMs : 0)));
    if (nowMs - this.#killedAtMs > FORGIVEN_MS && quietMs <= TICK_MS) this.#allowedMs = this.silenceMs; // T3
    for (const [edge, seen] of this.#edges) {
      if (!edge.open) {
        this.#edges.delete(edge); // T4
        continue;
      }
      seen.quietMs += passedMs;
      if (seen.answers && !seen.killed && seen.quietMs >= this.#allowedMs) this.#kill(edge, seen, nowMs);
      if (seen.asked) continue;
      seen.asked = true;
      edge.ping(() => {
        seen.asked = false;
      });
    }
  }

  #kill(edge: Watched, seen: Seen, nowMs: number): void {
    seen.killed = true;
    this.hooks.log("edge says nothing: it is killed", { epoch: edge.epoch, ms: Math.round(seen.quietMs) });
    edge.signal("SIGKILL");
    this.#killedAtMs = nowMs;
    this.#allowedMs = Math.min(this.#allowedMs * 2, SILENCE_MAX_MS); // T3
  }
}
