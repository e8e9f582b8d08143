// One coin daemon, watched: is it the right one, does it live, what is its newest template?
//
//   unknown --verify: chain, genesis, first template, a proposal--> live --anything fails--> refused | down --backoff--> verify again
//
//   live = three loops of one session: long poll (a connection of its own) | pulse (getbestblockhash) | hashblock, if offered
//
//   D1. A new tip is fetched at once, whichever loop sees it first; a template that nobody can use is never handed on.
//   D2. A daemon that is wrong, slow or silent holds up nobody else: each has its own loops and connections.
//   D3. Every change of state says why, once; a daemon that stays bad is not logged again and again.
//   D4. A long poll has no timeout (a quiet chain is no failure); the pulse sees a daemon that died without a word.
//
//   D5. A template is proved before its daemon is live: the daemon judges a block made from it, but for the proof of work (BIP 23,
//       proposal). What we leave out of a block is so found before a miner works on it. A daemon without proposals is believed.
//
// A long poll holds one of the daemon's few RPC threads, and goes on holding it until the next block when its client has left. So
// only the senior jobmanager long-polls, and the next session goes on with the poll of the one before, unless the daemon is gone;
// juniors ask for the tip every pollMs, and are ready to lead at once.

import { setImmediate as nextTurn } from "node:timers/promises";
import { z } from "zod";
import { type DaemonStatus, type EpochMs, nowMs } from "../../lib/contracts/index.js";
import type { Log, Metrics } from "../../lib/wiring/index.js";
import { backoffMs, pause, unlessAborted } from "./backoff.js";
import type { Coin } from "./coins/index.js";
import { listenHashblock } from "./in-zmq.js";
import { prove } from "./out-proof.js";
import { DaemonRpc, RpcError } from "./out-rpc.js";
import { messageOf } from "./reason.js";
import type { DaemonSettings } from "./settings.js";
import { parseTemplate, type Template } from "./template.js";

/** After a failure: at once means little to a daemon that restarts, and more than this is too long for miners. */
const RETRY_FIRST_MS = 250;
const RETRY_MAX_MS = 5_000;
/** A session that lasted this long was a good one: the next failure starts the backoff anew. */
const STEADY_MS = 10_000;

export interface DaemonEvents {
  /** Every usable template, whatever caused it. */
  onTemplate(template: Template, at: EpochMs): void;
  /** The state changed: live, or refused or down. */
  onState(live: boolean): void;
  /** It answered, and is one that we believe. */
  onAnswer(): void;
}

export interface DaemonPace {
  readonly pollMs: number;
  readonly pulseMs: number;
}

export interface DaemonDeps {
  readonly coin: Coin;
  readonly pace: DaemonPace;
  readonly events: DaemonEvents;
  /** D5. A whole block of this template, without proof of work. */
  draft(template: Template): Uint8Array;
  readonly log: Log;
  readonly metrics: Metrics;
}

type State =
  | { readonly kind: "unknown" }
  | { readonly kind: "live"; readonly session: Session }
  | { readonly kind: "refused" | "down"; readonly reason: string };

/** What one stretch of being live owns. */
interface Session {
  readonly signal: AbortSignal;
  /** Ends the session: the daemon failed outside the loops. */
  fail(error: unknown): void;
}

/** It answers, but it is not what we may believe. */
class Refusal extends Error {}

/** A long poll that has not been answered, with what it was told we have. */
interface Polling {
  readonly longpollid: string;
  readonly answer: Promise<Template>;
  abandon(): void;
}

const chainInfo = z.object({ chain: z.string().max(64), blocks: z.number().int() });

export class Daemon {
  readonly rpc: DaemonRpc;
  readonly #poll: DaemonRpc;
  readonly #closing = new AbortController();
  readonly #running: Promise<void>;
  #state: State = { kind: "unknown" };
  #template: Template | undefined;
  #fetching: Promise<Template> | undefined;
  #fetchAgain = false;
  #polling: Polling | undefined;
  /** D5 */
  #proved = false;
  #zmqUp = false;
  #leads = false;
  #onLead = (): void => {};
  #roundTripMs: number | undefined;

  private constructor(
    readonly settings: DaemonSettings,
    private readonly deps: DaemonDeps,
  ) {
    this.rpc = new DaemonRpc(settings);
    this.#poll = new DaemonRpc(settings);
    this.#running = this.#supervise();
  }

  /** Begins to watch; what it finds comes through the events. */
  static open(settings: DaemonSettings, deps: DaemonDeps): Daemon {
    return new Daemon(settings, deps);
  }

  get name(): string {
    return this.settings.name;
  }

  get live(): boolean {
    return this.#state.kind === "live";
  }

  status(): DaemonStatus {
    return {
      name: this.settings.name,
      url: this.settings.url,
      state: this.#state.kind,
      ...("reason" in this.#state ? { reason: this.#state.reason } : {}),
      ...(this.#template ? { height: this.#template.height - 1 } : {}),
      ...(this.live ? { tipSource: this.#tipSource } : {}),
      ...(this.#roundTripMs === undefined ? {} : { roundTripMs: this.#roundTripMs }),
    };
  }

  /** A template as of now; calls that overlap share one. @throws when the daemon fails, which also ends its session. */
  async fetch(): Promise<Template> {
    const state = this.#state;
    if (state.kind !== "live") throw new Error(`daemon ${this.name} is ${state.kind}`);
    try {
      return await this.#fetch(state.session.signal);
    } catch (error) {
      state.session.fail(error);
      throw error;
    }
  }

  /** True: it long-polls from now on. False: the poll that is under way is the last one. */
  lead(leads: boolean): void {
    this.#leads = leads;
    this.#onLead();
  }

  /** Somebody says that the tip changed: see for yourself. A fetch that is under way may have been too early for it. */
  poke(): void {
    if (this.#fetching) this.#fetchAgain = true;
    else if (this.live) this.fetch().catch(() => {}); // The session's end has said it.
  }

  /** Safe twice. */
  async close(): Promise<void> {
    this.#closing.abort();
    this.#polling?.abandon();
    await this.#running;
    this.rpc.close();
    this.#poll.close();
  }

  get #tipSource(): "zmq" | "longpoll" | "poll" {
    if (this.#zmqUp) return "zmq";
    return this.#template?.longpollid === undefined || !this.#leads ? "poll" : "longpoll";
  }

  async #supervise(): Promise<void> {
    for (let attempt = 0; !this.#closing.signal.aborted; attempt++) {
      const begun = performance.now();
      try {
        await this.#session();
      } catch (error) {
        if (this.#closing.signal.aborted) return;
        this.#failed(error);
      }
      if (performance.now() - begun > STEADY_MS) attempt = 0;
      await pause(backoffMs(attempt, RETRY_FIRST_MS, RETRY_MAX_MS), this.#closing.signal);
    }
  }

  /** From verification to the first failure, which it throws. */
  async #session(): Promise<void> {
    const end = new AbortController();
    const signal = AbortSignal.any([this.#closing.signal, end.signal]);
    const loops: Promise<unknown>[] = [];
    try {
      await this.#verify(signal);
      const template = await this.#fetch(signal);
      if (!this.#proved) await this.#prove(template, signal);
      loops.push(new Promise((_, fail) => this.#lives({ signal, fail })));
      loops.push(this.#longPoll(signal), this.#pulse(signal), this.#hashblocks(signal));
      if (this.#template) this.deps.events.onTemplate(this.#template, nowMs());
      await Promise.all(loops);
    } finally {
      end.abort();
      // The first of them never settles by itself.
      await Promise.allSettled(loops.slice(1));
    }
  }

  async #verify(signal: AbortSignal): Promise<void> {
    const { chain, genesis } = this.deps.coin.network;
    const info = await this.rpc.call("getblockchaininfo", [], chainInfo, { signal });
    if (info.chain !== chain) {
      throw new Refusal(
        `it is on chain ${info.chain}, this pool mines ${this.deps.coin.name} ${chain}: check its url and flags`,
      );
    }
    if (genesis === undefined) return;
    const first = await this.rpc.call("getblockhash", [0], z.string(), { signal });
    if (first !== genesis) {
      throw new Refusal(
        `its chain begins with ${first}, ${this.deps.coin.name} ${chain} with ${genesis}: it is another coin's daemon`,
      );
    }
  }

  /** D5 */
  async #prove(template: Template, signal: AbortSignal): Promise<void> {
    const proof = await prove(this.rpc, this.deps.coin.rules, this.deps.draft(template), signal);
    if (proof.kind === "invalid") {
      throw new Refusal(
        `it calls a block made from its own template invalid (${proof.reason}): its template asks for what this pool does not do, or the coin is configured wrongly`,
      );
    }
    if (proof.kind === "unknown") {
      const said = { daemon: this.name, reason: proof.reason };
      this.deps.log.info(said, "the daemon does not judge proposals: its templates are believed");
    }
    this.#proved = true;
  }

  #fetch(signal: AbortSignal): Promise<Template> {
    this.#fetching ??= this.#fetchFresh(signal).finally(() => {
      this.#fetching = undefined;
    });
    return this.#fetching;
  }

  async #fetchFresh(signal: AbortSignal): Promise<Template> {
    for (;;) {
      this.#fetchAgain = false;
      const begun = performance.now();
      const template = await this.#ask(this.rpc, {}, { signal });
      this.deps.metrics.timing("jobmanager.template.wait", performance.now() - begun, { daemon: this.name });
      this.#take(template);
      if (!this.#fetchAgain) return template;
    }
  }

  /** One getblocktemplate, believed or refused. */
  async #ask(rpc: DaemonRpc, more: object, options: { signal: AbortSignal; timeoutMs?: number }): Promise<Template> {
    const rules = this.deps.coin.rules;
    const answer = await rpc.call("getblocktemplate", [{ rules, ...more }], z.unknown(), options);
    const parsed = parseTemplate(answer, rules);
    if (parsed.kind === "refused") throw new Refusal(parsed.reason);
    return parsed.template;
  }

  #take(template: Template): void {
    this.#template = template;
    this.deps.events.onAnswer();
    if (this.live) this.deps.events.onTemplate(template, nowMs());
  }

  async #longPoll(signal: AbortSignal): Promise<void> {
    for (;;) {
      const longpollid = this.#template?.longpollid;
      if (longpollid === undefined) return; // The pulse does it alone.
      if (!this.#leads) {
        await this.#changeOfLead(signal);
        continue; // By then there is another template.
      }
      this.#polling ??= this.#beginPoll(longpollid);
      const polled = this.#polling;
      const template = await unlessAborted(polled.answer, signal); // D4
      this.#take(template);
      await nextTurn(); // The job leaves at the end of this one: to ask anew takes half a millisecond, which it must not wait for.
      // A daemon that answers a long poll without news would have us run in circles.
      if (template.longpollid === polled.longpollid) await pause(this.deps.pace.pollMs, signal);
    }
  }

  /** It outlives the session: a client that leaves a poll leaves the daemon's thread waiting. */
  #beginPoll(longpollid: string): Polling {
    const end = new AbortController();
    const answer = this.#ask(this.#poll, { longpollid }, { signal: end.signal, timeoutMs: 0 }).finally(() => {
      if (this.#polling === polling) this.#polling = undefined;
    });
    answer.catch(() => {}); // A session that waits for it is told; without one the next session asks anew.
    const polling: Polling = { longpollid, answer, abandon: () => end.abort() };
    return polling;
  }

  async #changeOfLead(signal: AbortSignal): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#onLead = resolve;
      signal.addEventListener("abort", () => resolve(), { once: true });
    });
    signal.throwIfAborted();
  }

  async #pulse(signal: AbortSignal): Promise<void> {
    const { pollMs, pulseMs } = this.deps.pace;
    for (;;) {
      await pause(this.#tipSource === "poll" ? pollMs : pulseMs, signal);
      const begun = performance.now();
      const best = await this.rpc.call("getbestblockhash", [], z.string(), { signal });
      this.#roundTripMs = Math.round((performance.now() - begun) * 100) / 100;
      this.deps.events.onAnswer();
      if (best !== this.#template?.previousblockhash) await this.#fetch(signal);
    }
  }

  async #hashblocks(signal: AbortSignal): Promise<void> {
    const url = this.settings.zmqHashblock;
    if (url === undefined) return;
    const onConnection = (up: boolean): void => {
      this.#zmqUp = up;
    };
    await listenHashblock(url, { onBlock: () => this.poke(), onConnection }, signal).finally(() => onConnection(false));
  }

  #lives(session: Session): void {
    this.#state = { kind: "live", session };
    this.deps.metrics.gauge("jobmanager.daemon.live", 1, { daemon: this.name });
    this.deps.log.info({ daemon: this.name, height: this.#template?.height }, "daemon is live");
    this.deps.events.onState(true);
  }

  #failed(error: unknown): void {
    const reason = messageOf(error);
    const kind = error instanceof RpcError ? error.state : "refused";
    const before = this.#state;
    this.#state = { kind, reason };
    if (kind === "down") {
      // Whatever answers next is another process, perhaps another version.
      this.#polling?.abandon();
      this.#proved = false;
    }
    if ("reason" in before && before.reason === reason) return; // D3
    this.deps.metrics.gauge("jobmanager.daemon.live", 0, { daemon: this.name });
    this.deps.metrics.count("jobmanager.daemon.failures", 1, { daemon: this.name, kind });
    this.deps.log.warn({ daemon: this.name, url: this.settings.url, reason }, `daemon is ${kind}`);
    this.deps.events.onState(false);
  }
}
