// The manager: all watchers, started in order, stopped in reverse; the one object that an embedding program holds.
//
//   const arbiter = await Arbiter.open(config, { readiness, onDeath, log });
//   arbiter.status(); arbiter.on("event", ...);
//   await arbiter.close();
//
//   A1. Watchers start one after the other, the greatest priority first, equals by name; each when the one before is ready.
//       They stop in exactly the reverse order, each when the one before is gone.
//   A2. After close() nothing is left: no process, no socket file, no circus.pids, no timer. Safe twice.
//   A3. What a manager that was killed left running is ended before anything starts (leftovers.ts).
//   A4. One watcher's trouble does not keep the others from starting, unless the embedder asks for that (`onTrouble: "abort"`).

import { EventEmitter } from "node:events";
import type { Logger } from "pino";
import { pino } from "pino";
import type { ArbiterConfig } from "./config.js";
import { Control } from "./control.js";
import { type Death, pause, type Readiness, type Shared } from "./crew.js";
import { CircusError, reasonOf } from "./errors.js";
import { type CircusEvent, type Topic, TopicSocket, topicName } from "./events.js";
import { Ledger } from "./ledger.js";
import type { Leftover } from "./leftovers.js";
import { openLogFiles } from "./logs.js";
import { openSockets, type Sockets } from "./sockets.js";
import { StatsPublisher } from "./stats.js";
import { Watcher } from "./watcher.js";
import type { WatcherConfig } from "./watcher-config.js";
import type { Change, WatcherStatus } from "./watcher-status.js";

export interface ArbiterOptions {
  /** Asked for watchers with `ready = true`. */
  readonly readiness?: Readiness;
  /** The end of any process, once its group is gone. Failures are logged. */
  readonly onDeath?: (death: Death) => void | Promise<void>;
  readonly log?: Logger;
  /** Output that no stream option names: "drop" (default; kept for failure reports) or "inherit" (the manager's own). */
  readonly output?: "inherit" | "drop";
  /** A watcher that cannot start or is not ready in time: go on with the others (default), or close all and throw. */
  readonly onTrouble?: "continue" | "abort";
  /** Called before the first watcher starts: for listeners, and for a screen that shows the start. */
  readonly onOpen?: (arbiter: Arbiter) => void;
  /** Ends a start that is under way: everything is closed, and open() rejects. Afterwards use close(). */
  readonly signal?: AbortSignal;
  /** From 0 to 1, exclusive. Default Math.random; a test may fix it. */
  readonly random?: () => number;
}

interface Events {
  event: [CircusEvent];
  /** A watcher could not be started, or was not ready in time. */
  trouble: [watcher: string, error: CircusError];
  /** Everything has ended: after close(), or the command `quit`. */
  closed: [];
}

/** Between SIGTERM and SIGKILL for what a killed manager left: it serves nobody any more. */
const LEFTOVER_GRACE_MS = 3_000;
/** Watchers one manager takes; `add` over the control socket must not grow without bound. */
const WATCHERS_MAX = 500;
/** close() waits this long for onDeath promises that are under way. */
const CERTIFY_MS = 2_000;

export class Arbiter extends EventEmitter<Events> {
  readonly #watchers = new Map<string, Watcher>();
  readonly #certificates = new Set<Promise<void>>();
  #control: Control | undefined;
  #events: TopicSocket | undefined;
  #stats: StatsPublisher | undefined;
  #closing: Promise<void> | undefined;
  #leaving = false;
  readonly #shared: Shared;

  private constructor(
    readonly config: ArbiterConfig,
    private readonly options: ArbiterOptions,
    private readonly ledger: Ledger,
    readonly sockets: Sockets,
    readonly log: Logger,
    /** Processes of an earlier, killed manager that were ended at the start. */
    readonly leftovers: readonly Leftover[],
  ) {
    super();
    this.#shared = {
      log,
      logs: openLogFiles((file, error) => log.error(`cannot write the log ${file}: ${reasonOf(error)}`)),
      ledger,
      sockets,
      publish: (watcher, topic, body) => this.#publish(watcher, topic, body),
      readiness: options.readiness,
      onDeath: (death) => this.#certify(death),
      output: options.output ?? "drop",
      random: options.random ?? Math.random,
    };
  }

  /**
   * Resolves when every watcher with autostart has started, or has had its trouble reported.
   *
   * @throws {CircusError} TAKEN (another manager runs there), OS (an endpoint or socket cannot be bound); with
   *   onTrouble "abort" also the first watcher's NOT_READY, GAVE_UP or OS. Nothing is left running then.
   */
  static async open(config: ArbiterConfig, options: ArbiterOptions = {}): Promise<Arbiter> {
    const log = options.log ?? pino({ level: "silent" });
    const { ledger, ended } = await Ledger.open(config.runDirectory, LEFTOVER_GRACE_MS, (reason) => log.error(reason));
    for (const { watcher, pid } of ended) log.warn({ watcher, pid }, "ended: left over from a manager that was killed");
    let arbiter: Arbiter | undefined;
    try {
      arbiter = new Arbiter(config, options, ledger, await openSockets(config.sockets), log, ended);
      await arbiter.#bind();
      options.onOpen?.(arbiter);
      await arbiter.#startAll(options.signal);
      return arbiter;
    } catch (error) {
      if (arbiter === undefined) ledger.close();
      await arbiter?.close();
      throw error;
    }
  }

  /** For a live screen: cheap, and a copy. In the order of starting. */
  status(): readonly WatcherStatus[] {
    return this.inOrder().map((watcher) => watcher.status());
  }

  /** Undefined when there is none. Names are matched without regard to case, as in Circus. */
  watcher(name: string): Watcher | undefined {
    return this.#watchers.get(name.toLowerCase());
  }

  /** A1: the order of starting. */
  inOrder(): readonly Watcher[] {
    return [...this.#watchers.values()].sort((a, b) => {
      return b.config.priority - a.config.priority || (a.name < b.name ? -1 : 1);
    });
  }

  /** @throws {CircusError} REFUSED when the name is taken, or there are too many. */
  add(config: WatcherConfig): Watcher {
    const key = config.name.toLowerCase();
    if (this.#leaving) throw new CircusError("REFUSED", "the manager is closing");
    if (this.#watchers.has(key)) throw new CircusError("REFUSED", `'${config.name}' already exists`);
    if (this.#watchers.size >= WATCHERS_MAX)
      throw new CircusError("REFUSED", `there are ${WATCHERS_MAX} watchers already`);
    const watcher = new Watcher(config, this.#shared);
    this.#watchers.set(key, watcher);
    this.#publish(config.name, "add");
    return watcher;
  }

  /** Stops the watcher, then forgets it. */
  async remove(watcher: Watcher): Promise<void> {
    this.#watchers.delete(watcher.name.toLowerCase());
    this.#publish(watcher.name, "remove");
    await watcher.stop();
  }

  /** Stops all watchers in reverse order, for good: none starts any more. The endpoints stay open. */
  async stopAll(): Promise<Change[]> {
    this.#leaving = true;
    const changes: Change[] = [];
    for (const watcher of [...this.inOrder()].reverse()) changes.push(await watcher.stop());
    return changes;
  }

  /** A2. Both callers of two wait for the same end. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #bind(): Promise<void> {
    const { endpoint, pubsub_endpoint, stats_endpoint, endpoint_owner } = this.config;
    this.#events = await TopicSocket.open(pubsub_endpoint, endpoint_owner);
    if (stats_endpoint !== undefined) {
      this.#stats = await StatsPublisher.open(stats_endpoint, endpoint_owner, () => this.#pids());
    }
    this.#control = await Control.open(endpoint, endpoint_owner, this);
  }

  async #startAll(signal?: AbortSignal): Promise<void> {
    for (const config of this.config.watchers) this.add(config);
    const close = (): void => void this.close();
    signal?.addEventListener("abort", close, { once: true });
    for (const watcher of this.inOrder()) {
      if (this.#leaving || signal?.aborted === true) break;
      if (watcher.config.autostart) await this.#startOne(watcher);
    }
    signal?.removeEventListener("abort", close);
    if (signal?.aborted === true) throw new CircusError("REFUSED", "the start was interrupted");
  }

  async #startOne(watcher: Watcher): Promise<void> {
    try {
      await watcher.start();
      await pause(this.config.warmup_delay * 1_000);
    } catch (error) {
      if (this.#leaving) return;
      const trouble = error instanceof CircusError ? error : new CircusError("OS", reasonOf(error), { cause: error });
      if (this.options.onTrouble === "abort") throw trouble;
      this.log.error({ watcher: watcher.name }, trouble.message);
      this.emit("trouble", watcher.name, trouble);
    }
  }

  #pids(): ReadonlyMap<string, readonly number[]> {
    const pids = this.inOrder().map((watcher) => {
      return [watcher.name, watcher.crew.members.map((child) => child.pid)] as const;
    });
    return new Map(pids);
  }

  #publish(watcher: string, topic: Topic, body: Omit<CircusEvent["body"], "time"> = {}): void {
    const event: CircusEvent = { watcher, topic, body: { ...body, time: Date.now() / 1_000 } };
    this.#events?.publish(`watcher.${topicName(watcher)}.${topic}`, event.body);
    try {
      this.emit("event", event);
    } catch (error) {
      this.log.error({ watcher, topic }, `a listener of events failed: ${reasonOf(error)}`); // No reason to lose the process it is about.
    }
  }

  #certify(death: Death): void {
    const issued = Promise.resolve()
      .then(() => this.options.onDeath?.(death))
      .catch((error) => {
        this.log.error({ watcher: death.watcher, pid: death.pid }, `the death was not certified: ${reasonOf(error)}`);
      });
    this.#certificates.add(issued);
    void issued.then(() => this.#certificates.delete(issued));
  }

  async #close(): Promise<void> {
    await this.stopAll();
    const enough = new AbortController();
    const certified = Promise.all(this.#certificates).then(() => enough.abort());
    await Promise.race([certified, pause(CERTIFY_MS, enough.signal)]);
    this.#stats?.close();
    this.#events?.close();
    await this.#control?.close();
    await this.sockets.close();
    this.#shared.logs.close();
    this.ledger.close();
    this.emit("closed");
  }
}
