// One watcher: keeps `numprocesses` processes of one command running.
//
//   Arbiter, control commands -> Watcher (how many, when, in which order) -> Crew -> Child
//
//   H1. A process that ends unasked is replaced on its exit event; backoff.ts says after which wait, and when to give up. A
//       watcher that gave up says why in its status, and leaves alone what still runs.
//   H2. reload replaces one process at a time: the new one is ready before the old one is stopped, so there are never fewer
//       than before. The first new one has to live on for `settle`, too: a version that dies seconds after it was ready is none. A new
//       one that does not become ready is ended, and the reload stops there: the old one stays. Options
//       that came with the reload are taken back then, and so are the processes that had them already. A singleton, of
//       which there must not be two, is stopped first. With send_hup the processes stay and get a SIGHUP.
//   H3. Commands to one watcher run one after the other; `stop` does not wait behind a start or reload, it ends them.
//   H4. With max_age a process is replaced, like by reload, when it has lived max_age plus a random part of max_age_variance.

import { Crew, pause, type Shared } from "./crew.js";
import { CircusError, reasonOf } from "./errors.js";
import { type Exit, howEnded } from "./exit.js";
import type { Child } from "./process.js";
import { Respawner } from "./respawn.js";
import { Retirement } from "./retirement.js";
import { rollOver } from "./rolling.js";
import { Turns } from "./turns.js";
import { Waiting } from "./waiting.js";
import { type ReloadOptions, splitChanges, type WatcherConfig } from "./watcher-config.js";
import { type Change, changeBetween, processStatus, type WatcherState, type WatcherStatus } from "./watcher-status.js";

export class Watcher {
  readonly crew: Crew;
  #config: WatcherConfig;
  #status: WatcherState = "stopped";
  #late: CircusError | undefined;
  readonly #turns = new Turns(() => this.name);
  #stopping = 0;
  readonly #respawner: Respawner;
  readonly #retirement = new Retirement();
  readonly #waiting = new Waiting();

  constructor(
    config: WatcherConfig,
    private readonly shared: Shared,
  ) {
    this.#config = config;
    this.crew = new Crew(shared, () => this.#config, {
      onReady: () => this.#waiting.changed(),
      onLate: (_child, error) => this.#wasLate(error),
      onEnd: (child, exit, heir) => this.#ended(child, exit, heir),
    });
    this.#respawner = new Respawner(
      () => this.#config,
      shared.random,
      () => void this.#respawn(),
    );
  }

  get name(): string {
    return this.#config.name;
  }

  get config(): WatcherConfig {
    return this.#config;
  }

  get state(): WatcherState {
    return this.#status;
  }

  status(): WatcherStatus {
    const { name, numprocesses, priority } = this.#config;
    const { restarts, gaveUp } = this.#respawner;
    const told = { name, status: this.#status, numprocesses, priority, restarts, gaveUp: gaveUp?.message };
    return { ...told, processes: this.crew.members.map(processStatus) };
  }

  /**
   * Resolves when all processes are ready. Does nothing for a watcher that runs, unless it gave up.
   *
   * @throws {CircusError} OS (cannot be started; nothing is left running), NOT_READY (runs on, not ready in time), GAVE_UP.
   */
  start(): Promise<Change> {
    return this.#inTurn(() => this.#start());
  }

  /** Resolves when the last process and its group are gone. */
  async stop(): Promise<Change> {
    this.#stopping++;
    this.#waiting.changed(); // H3: whoever waits for readiness stops waiting.
    return this.#inTurn(() => this.#stop()).finally(() => this.#stopping--);
  }

  restart(): Promise<Change> {
    return this.#inTurn(async () => {
      await this.#stop();
      await this.#start();
    });
  }

  /**
   * H2.
   *
   * @param options.pid Only this process. @param options.changes Options that the new processes have, checked by the caller.
   * @throws {CircusError} REFUSED when stopped, NOT_FOUND, NOT_READY when a new process did not become ready.
   */
  reload({ pid, changes = {} }: ReloadOptions = {}): Promise<Change> {
    return this.#inTurn(async () => {
      if (this.#status !== "active")
        throw new CircusError("REFUSED", `${this.name} is ${this.#status}; start it first`);
      const targets = pid === undefined ? this.crew.serving : [this.crew.servingOne(pid)];
      if (this.#config.send_hup) for (const child of targets) child.signal("SIGHUP");
      else await this.#replaceAll(targets, changes);
      this.shared.publish(this.name, "reload");
      await this.#reconcile();
    });
  }

  /** Ends one process for good: there is one fewer from now on. @throws {CircusError} NOT_FOUND. */
  retire(pid: number): Promise<Change> {
    return this.#inTurn(async () => {
      const child = this.crew.servingOne(pid);
      this.#config = { ...this.#config, numprocesses: Math.max(0, this.#config.numprocesses - 1) };
      this.shared.publish(this.name, "updated");
      await this.crew.stop(child);
      await this.#reconcile();
    });
  }

  /** Ends processes by a signal of one's own; as with any end, they are replaced when the watcher is active. */
  kill(pid: number | undefined, signal: NodeJS.Signals | undefined, gracefulMs: number | undefined): Promise<Change> {
    return this.#inTurn(async () => {
      const targets = this.crew.serving.filter((child) => pid === undefined || child.pid === pid);
      await Promise.all(targets.map((child) => this.crew.stop(child, signal, gracefulMs)));
      await this.#reconcile();
    });
  }

  /**
   * Takes new options, checked by the caller, and does what they need: more or fewer processes, or new ones.
   *
   * @throws {CircusError} NOT_READY when new processes are needed and do not become ready: nothing has changed then (H2).
   */
  set(changes: Partial<WatcherConfig>): Promise<Change> {
    const { anew, rest } = splitChanges(changes);
    this.#config = { ...this.#config, ...rest };
    return this.#inTurn(async () => {
      if (this.#status !== "active") this.#config = { ...this.#config, ...anew };
      else if (Object.keys(anew).length > 0) await this.#replaceAll(this.crew.serving, anew);
      this.shared.publish(this.name, "updated");
      await this.#reconcile();
    });
  }

  async #start(): Promise<void> {
    if (this.#status !== "stopped" && this.#respawner.gaveUp === undefined) return;
    this.#respawner.forgive();
    this.#late = undefined;
    this.#status = "starting";
    try {
      await this.#spawnMissing();
      await this.#until(() => this.crew.ready.length >= this.#wanted());
    } catch (error) {
      if (error instanceof CircusError && error.code === "OS") await this.#stop();
      else this.#settle();
      throw error;
    }
    this.#settle();
    this.shared.publish(this.name, "start");
  }

  #settle(): void {
    if (this.#status === "starting") this.#status = "active";
    this.#stopIfOver();
  }

  /** How many processes a start waits for: without respawn, those that ended by themselves are done. */
  #wanted(): number {
    return this.#config.respawn ? this.#config.numprocesses : this.crew.serving.length;
  }

  async #stop(): Promise<void> {
    if (this.#status === "stopped" && this.crew.members.length === 0) return;
    this.#status = "stopping";
    this.#respawner.cancel();
    await this.crew.stopAll();
    this.#status = "stopped";
    this.shared.publish(this.name, "stop");
  }

  /** Brings the number of processes to what it should be. */
  async #reconcile(): Promise<void> {
    if (this.#status !== "active") return;
    if (this.#config.respawn) await this.#spawnMissing();
    // The oldest go first, as in Circus.
    const surplus = this.crew.serving.slice(0, Math.max(0, this.crew.serving.length - this.#config.numprocesses));
    await Promise.all(surplus.map((child) => this.crew.stop(child)));
  }

  /** Each of the missing once: one that dies meanwhile is the respawner's business. */
  async #spawnMissing(): Promise<void> {
    for (let left = this.#missing(); left > 0; left--) {
      if (this.#stopping > 0 || this.#respawner.gaveUp !== undefined) return;
      await this.#spawn();
      if (left > 1) await pause(this.#config.warmup_delay * 1_000);
    }
  }

  #missing(): number {
    return this.#config.numprocesses - this.crew.serving.length - this.#respawner.pending;
  }

  async #spawn(): Promise<Child> {
    const child = await this.crew.spawn();
    this.#retirement.plan(child.pid, this.#config, this.shared.random(), () => this.#retire(child)); // H4
    return child;
  }

  #retire(child: Child): void {
    void this.#inTurn(() => this.#replace(child)).catch((error) => {
      this.shared.log.error({ watcher: this.name, pid: child.pid }, `not replaced at its age: ${reasonOf(error)}`);
    });
  }

  /** H2 */
  #replaceAll(children: readonly Child[], changes: Partial<WatcherConfig>): Promise<void> {
    let settleMs = this.#config.settle * 1_000; // Of the first one only: the others are the same version.
    const before = Object.fromEntries(Object.entries(this.#config).filter(([key]) => Object.hasOwn(changes, key)));
    return rollOver(children, {
      replace: async (child) => {
        const fresh = await this.#replace(child, settleMs);
        if (fresh.length > 0) settleMs = 0;
        return fresh;
      },
      change: () => {
        this.#config = { ...this.#config, ...changes };
      },
      takeBack: () => {
        this.#config = { ...this.#config, ...before }; // What was set meanwhile (incr, decr) stays.
      },
      changes: Object.keys(changes).length > 0,
      onTrouble: (child, error) => {
        this.shared.log.error({ watcher: this.name, pid: child.pid }, `not taken back: ${reasonOf(error)}`);
      },
    });
  }

  /** @returns the process in its place; none when there was nothing to replace. */
  async #replace(child: Child, settleMs = 0): Promise<readonly Child[]> {
    if (child.asked || child.state === "gone" || this.#status !== "active") return [];
    if (this.#config.singleton) await this.crew.stop(child);
    this.#late = undefined;
    const fresh = await this.#spawn();
    try {
      await this.#until(() => {
        if (fresh.state === "gone") throw this.#diedEarly(fresh, "before it was ready");
        return fresh.state === "ready";
      });
      if (settleMs > 0) await this.#settled(fresh, settleMs);
    } catch (error) {
      await this.crew.stop(fresh);
      throw error;
    }
    if (!this.#config.singleton) await this.crew.stop(child);
    return [fresh];
  }

  /** Lives on for so long. @throws {CircusError} NOT_READY when it does not. */
  #settled(fresh: Child, ms: number): Promise<void> {
    return this.#waiting.atLeast(ms, (passed) =>
      this.#until(() => {
        if (fresh.state === "gone") throw this.#diedEarly(fresh, `within ${ms / 1_000} s after it was ready`);
        return passed();
      }),
    );
  }

  #diedEarly({ pid, tail }: Child, when: string): CircusError {
    return new CircusError(
      "NOT_READY",
      `${this.name}: process ${pid} ended ${when}. It said:\n${tail.lines.join("\n")}`,
    );
  }

  /** Waits for what processes do. @throws {CircusError} when they were late, or gave up, or a stop was asked for. */
  #until(done: () => boolean): Promise<void> {
    return this.#waiting.until(done, () => {
      if (this.#stopping > 0) throw new CircusError("REFUSED", `${this.name} was told to stop meanwhile`);
      if (this.#respawner.gaveUp !== undefined) throw this.#respawner.gaveUp;
      if (this.#late !== undefined) throw this.#late;
    });
  }

  #wasLate(error: CircusError): void {
    this.shared.log.error({ watcher: this.name }, error.message);
    this.#late = error;
    this.#waiting.changed();
  }

  #ended(child: Child, exit: Exit, heir: Child | undefined): void {
    this.#retirement.forget(child.pid);
    if (!child.asked && heir === undefined) {
      const about = { watcher: this.name, pid: child.pid, tail: child.tail.lines };
      this.shared.log.warn(about, `ended unasked: ${howEnded(exit)}`);
      this.#died(Date.now() - child.startedAtMs, child.tail.lines);
    }
    this.#stopIfOver();
    this.#waiting.changed();
  }

  /** H1. */
  #died(livedMs: number, said: readonly string[]): void {
    const runs = this.#status === "active" || this.#status === "starting";
    // Nothing is missing when a reload has already put another in its place.
    if (!runs || !this.#config.respawn || this.#stopping > 0 || this.#missing() <= 0) return;
    const before = this.#respawner.gaveUp;
    this.#respawner.died(livedMs, said);
    const { gaveUp } = this.#respawner;
    if (gaveUp !== undefined && before === undefined) this.shared.log.error({ watcher: this.name }, gaveUp.message);
  }

  async #respawn(): Promise<void> {
    if (this.#missing() <= 0) return; // decr came in between.
    try {
      await this.#spawn();
    } catch (error) {
      this.shared.log.error({ watcher: this.name }, reasonOf(error));
      this.#died(0, [reasonOf(error)]);
      this.#stopIfOver();
      this.#waiting.changed();
    }
  }

  /** A watcher that gave up and has nothing left is stopped, and says so. */
  #stopIfOver(): void {
    const { gaveUp } = this.#respawner;
    if (gaveUp === undefined || this.#status !== "active" || this.crew.serving.length > 0) return;
    this.#status = "stopped";
    this.shared.publish(this.name, "stop", { reason: gaveUp.message });
  }

  /** H3. */
  #inTurn(act: () => Promise<unknown>): Promise<Change> {
    return this.#turns.take(async () => {
      const before = this.crew.serving.map((child) => child.pid);
      await act();
      return changeBetween(
        before,
        this.crew.serving.map((child) => child.pid),
      );
    });
  }
}
