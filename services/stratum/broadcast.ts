// Telling everybody, and looking after everybody: what happens to all connections at once.
//
//   in-jobs: a new notice --announce--> what must come before it for a few (restless.ts), then one broadcast an edge
//   every second --sweep--> keepalive, connections that are overdue, letting go when there is no work
//
//   B1. The notify line is encoded once for each difficulty, and only who is owed words of its own is looked at, whatever the number of
//       connections.
//   B2. A job is told again when none was for keepaliveMs: cgminer drops a silent pool after 90 s, minerd after 120 s.
//   C5. Without a sign of life from any coin daemon for noWorkDisconnectMs, clients are let go, a few a second, so that they fail
//       over to another pool; who comes meanwhile is turned away by receive.ts. It ends at once when work is there again.

import type { Difficulty } from "../../lib/contracts/index.js";
import { type Connection, type Crowd, jobsGroup } from "./connections.js";
import type { Desk } from "./desk.js";
import { beforeBroadcast } from "./difficulty.js";
import type { Notice } from "./protocol/encode.js";
import * as encode from "./protocol/encode.js";
import { REFUSALS } from "./protocol/errors.js";
import { overdue } from "./session.js";
import { type Context, say, toldOf, writeTold } from "./session-state.js";
import type { ListenerRules } from "./settings.js";
import { encodeVariant } from "./variant.js";

export const SWEEP_EVERY_MS = 1_000;

export class Broadcast {
  #toldAtMs = performance.now();
  #quiet = false;

  constructor(
    private readonly desk: Desk,
    private readonly lines: Crowd,
  ) {}

  /** Nothing is said to all any more: the connections are on their way to another instance, which knows them better. */
  quiet(): void {
    this.#quiet = true;
  }

  /** The newest notice of the book goes to every connection. */
  announce(clean: boolean, maskBefore: number): void {
    const { notice, current } = this.desk.book;
    if (!notice || !current || this.#quiet) return;
    const startedMs = performance.now();
    const { connections } = this.lines;
    const contexts = new Map<ListenerRules, Context>();
    for (const connection of connections.restless.concerned(connections.all(), current, maskBefore)) {
      this.lines.guard("broadcast", connection, () => {
        if (connection.joined && !connection.closing) this.#prepare(connection, contexts, maskBefore);
        connections.restless.look(connection);
      });
    }
    this.#tell(notice, clean);
    this.#toldAtMs = startedMs;
    this.desk.tally.timing("stratum.broadcast_ms", performance.now() - startedMs);
  }

  /** B1 */
  #tell(notice: Notice, clean: boolean): void {
    const salt = this.desk.salt();
    const lines = new Map<Difficulty, Buffer>();
    const heard = writeTold(toldOf(notice.job));
    for (const [edge, groups] of this.lines.connections.groups) {
      for (const difficulty of groups.keys()) {
        let bytes = lines.get(difficulty);
        if (!bytes) {
          bytes = Buffer.from(encode.notify(notice, encodeVariant(difficulty, salt), clean));
          lines.set(difficulty, bytes);
        }
        this.desk.out.say(edge, { kind: "broadcast", group: jobsGroup(difficulty), bytes, heard });
      }
    }
  }

  /** To be called every second. */
  sweep(): void {
    if (this.#quiet) return;
    const nowMs = performance.now();
    this.#keepAwake(nowMs);
    this.#measure(this.#closeOverdue(nowMs));
    if (this.desk.workless(nowMs)) this.#letGo();
  }

  #prepare(connection: Connection, contexts: Map<ListenerRules, Context>, maskBefore: number): void {
    const { session, rules } = connection;
    if (session.phase !== "mining") return;
    let context = contexts.get(rules);
    if (!context) {
      context = this.desk.context(connection);
      contexts.set(rules, context);
    }
    const step = beforeBroadcast(session, context, maskBefore);
    if (step.effects.length > 0) this.lines.unasked(connection, step);
    else connection.session = step.session;
  }

  /** B2 */
  #keepAwake(nowMs: number): void {
    const { book, settings, tally } = this.desk;
    if (nowMs - this.#toldAtMs < settings.keepaliveMs) return;
    if (!book.renew(Math.floor(Date.now() / 1_000))) return;
    tally.count("stratum.jobs", 1, ["as", "renewed"]);
    this.announce(false, book.current?.job.versionMask ?? 0);
  }

  /** Returns how many connections mine. */
  #closeOverdue(nowMs: number): number {
    let mining = 0;
    const { restless } = this.lines.connections;
    for (const connection of this.lines.connections.all()) {
      if (connection.session.phase === "mining") mining++;
      this.lines.guard("sweep", connection, () => {
        restless.age(connection, nowMs);
        const why = connection.closing
          ? undefined
          : overdue(connection.session, { settings: this.desk.settings, nowMs });
        if (why !== undefined) this.#close(connection, why, "");
      });
    }
    return mining;
  }

  /** C5 */
  #letGo(): void {
    let left = this.desk.settings.noWorkClosesPerSecond;
    for (const connection of this.lines.connections.all()) {
      if (left === 0) return;
      if (connection.closing) continue;
      left--;
      this.desk.tally.count("stratum.let_go");
      const { text } = REFUSALS.noWork;
      this.#close(connection, text, connection.session.phase === "mining" ? encode.showMessage(text) : "");
    }
  }

  #close(connection: Connection, why: string, lastWords: string): void {
    const words = lastWords === "" ? [] : [say(lastWords)];
    this.lines.unasked(connection, { session: connection.session, effects: [...words, { kind: "close", text: why }] });
  }

  #measure(mining: number): void {
    const { tally, shares } = this.desk;
    tally.gauge("stratum.connections", this.lines.connections.size);
    tally.gauge("stratum.mining", mining);
    tally.gauge("stratum.queue_bytes", this.lines.queueBytes);
    tally.gauge("stratum.shares_waiting", shares.waiting);
  }
}
