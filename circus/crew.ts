// The processes of one watcher: starts them, learns that they are ready, hears that they ended.
//
//   watcher.ts (how many, when) -> Crew -> process.ts (one child)
//
//   W1. A process is ready when the injected Readiness says so (option `ready`), otherwise when it has lived warmup_delay.
//   W2. One that is not ready within ready_timeout is reported with its last lines, and left alone: what it waits for may
//       still come, and starting it again would not bring it.
//   W3. Every end, asked for or not, is published (`reap`), struck off the ledger and certified, after the whole process
//       group is gone.
//   W4. A process that has started its own successor is followed by that one (heir.ts).
//   W5. One that starts while another one serves lets all others go first until it is ready (courtesy.ts); with nobody else left it
//       does so no more.

import type { Logger } from "pino";
import { type StandardFd, standardLines } from "../lib/log/index.js";
import { commandWords } from "./command.js";
import { Courtesy } from "./courtesy.js";
import { CircusError, reasonOf } from "./errors.js";
import type { Publish } from "./events.js";
import { type Exit, eventCode } from "./exit.js";
import { findHeir } from "./heir.js";
import type { Ledger } from "./ledger.js";
import { MARK_VARIABLE } from "./leftovers.js";
import type { LogFiles, LogSink } from "./logs.js";
import { Child } from "./process.js";
import type { Sockets } from "./sockets.js";
import { replaceVariables } from "./variables.js";
import type { StreamConfig, WatcherConfig } from "./watcher-config.js";

/**
 * Resolves when the process is ready to serve. `signal` aborts when it died. A rejection means: it will not be.
 * `waitsFor` may be told what is still missing, for the report when the time is over.
 */
export type Readiness = (
  watcher: string,
  pid: number,
  signal: AbortSignal,
  waitsFor: (what: string) => void,
) => Promise<void>;

/** The certificate that a process, and everything in its group, is gone. */
export interface Death extends Exit {
  readonly watcher: string;
  readonly pid: number;
  /** Ticks since boot; with the pid they tell which process it was. Undefined when it had ended before it could be read. */
  readonly startTicks: number | undefined;
  /** The manager had asked for it. */
  readonly asked: boolean;
}

/** What all watchers of a manager share. */
export interface Shared {
  readonly log: Logger;
  readonly logs: LogFiles;
  readonly ledger: Ledger;
  readonly sockets: Sockets;
  readonly publish: Publish;
  readonly readiness: Readiness | undefined;
  readonly onDeath: (death: Death) => void;
  /** Where output goes that no stream option names: to the manager's own stdout and stderr, or nowhere. */
  readonly output: "inherit" | "drop";
  /** From 0 to 1, exclusive. */
  readonly random: () => number;
}

export interface CrewEvents {
  onReady(child: Child): void;
  onLate(child: Child, error: CircusError): void;
  /** @param heir The process that has taken its place by itself. */
  onEnd(child: Child, exit: Exit, heir: Child | undefined): void;
}

export class Crew {
  readonly #members = new Map<number, Child>();
  readonly #wids = new Set<number>();
  readonly #spawning = new Set<Promise<unknown>>();
  readonly #courtesies = new Map<Child, Courtesy>();

  constructor(
    private readonly shared: Shared,
    /** Asked at each start: `set` changes it. */
    private readonly config: () => WatcherConfig,
    private readonly events: CrewEvents,
  ) {}

  /** Oldest first; also those that are stopping. */
  get members(): readonly Child[] {
    return [...this.#members.values()];
  }

  /** Those that were not asked to end. */
  get serving(): readonly Child[] {
    return this.members.filter((child) => !child.asked);
  }

  get ready(): readonly Child[] {
    return this.serving.filter((child) => child.state === "ready");
  }

  /** @throws {CircusError} NOT_FOUND. */
  servingOne(pid: number): Child {
    const child = this.serving.find((it) => it.pid === pid);
    if (child === undefined) throw new CircusError("NOT_FOUND", `process ${pid} not found in '${this.config().name}'`);
    return child;
  }

  member(pid: number): Child | undefined {
    return this.#members.get(pid);
  }

  /** @throws {CircusError} OS when the program cannot be started. */
  spawn(): Promise<Child> {
    const spawned = this.#spawn();
    this.#spawning.add(spawned);
    void spawned.catch(() => undefined).then(() => this.#spawning.delete(spawned));
    return spawned;
  }

  /** Ends one process: the watcher's stop_signal, then SIGKILL after graceful_timeout. */
  async stop(child: Child, signal?: NodeJS.Signals, gracefulMs?: number): Promise<void> {
    if (child.state === "gone") return;
    const { name, stop_signal, graceful_timeout, stop_children } = this.config();
    this.shared.publish(name, "kill", { process_pid: child.pid });
    await child.stop({
      signal: signal ?? stop_signal,
      gracefulMs: gracefulMs ?? graceful_timeout * 1_000,
      children: stop_children,
    });
  }

  /** Ends all, also those being started in this very moment. */
  async stopAll(): Promise<void> {
    await Promise.allSettled(this.#spawning);
    while (this.#members.size > 0) await Promise.all(this.members.map((child) => this.stop(child)));
  }

  async #spawn(): Promise<Child> {
    const config = this.config();
    const wid = this.#takeWid();
    let child: Child;
    try {
      child = await Child.start(this.#spec(config, wid));
    } catch (error) {
      this.#wids.delete(wid);
      if (error instanceof CircusError) throw error;
      throw new CircusError("OS", `${config.name}: ${reasonOf(error)}`, { cause: error });
    }
    if (config.ready && this.ready.length > 0) this.#askCourtesy(child); // W5
    this.#members.set(child.pid, child);
    this.shared.ledger.add(config.name, child.pid, child.startTicks);
    this.shared.publish(config.name, "spawn", { process_pid: child.pid });
    void child.exited.then((exit) => this.#ended(config.name, child, exit));
    void this.#prove(config, child);
    return child;
  }

  #askCourtesy(child: Child): void {
    const courtesy = Courtesy.ask(child.pid);
    if (courtesy) this.#courtesies.set(child, courtesy);
  }

  #endCourtesy(child: Child): void {
    this.#courtesies.get(child)?.end();
    this.#courtesies.delete(child);
  }

  #takeWid(): number {
    let wid = 1;
    while (this.#wids.has(wid)) wid++;
    this.#wids.add(wid);
    return wid;
  }

  #spec(config: WatcherConfig, wid: number) {
    const sockets = config.use_sockets ? this.shared.sockets.all : [];
    const numbers = new Map(sockets.map((socket) => [socket.name, socket.childFd]));
    const fill = (text: string): string => replaceVariables(text, { wid, env: config.env, sockets: numbers });
    return {
      words: commandWords({ ...config, cmd: fill(config.cmd), args: config.args.map(fill) }),
      env: { ...config.env, [MARK_VARIABLE]: this.shared.ledger.mark },
      cwd: config.working_dir,
      wid,
      sockets: sockets.map((socket) => socket.fd),
      closeStdin: config.close_child_stdin,
      stdout: config.close_child_stdout ? undefined : this.#sink(config.stdout_stream, 1),
      stderr: config.close_child_stderr ? undefined : this.#sink(config.stderr_stream, 2),
    };
  }

  #sink(stream: StreamConfig | undefined, own: StandardFd): LogSink {
    if (stream !== undefined) return this.shared.logs.sink(stream);
    return this.shared.output === "inherit" ? (line) => standardLines(own).write(line) : () => undefined;
  }

  async #prove({ name, ready, ready_timeout, warmup_delay }: WatcherConfig, child: Child): Promise<void> {
    const died = new AbortController();
    void child.died.then(() => died.abort());
    let missing = "";
    const waitsFor = (what: string): void => {
      missing = `; it waits for ${what}`;
    };
    const late = setTimeout(
      () => this.#late(name, child, `within ${ready_timeout} s${missing}`),
      ready_timeout * 1_000,
    );
    try {
      const { readiness } = this.shared;
      const asked = ready && readiness !== undefined; // W1
      const proof = asked
        ? readiness(name, child.pid, died.signal, waitsFor)
        : pause(warmup_delay * 1_000, died.signal);
      await Promise.race([proof, child.died]); // A readiness that does not heed the signal must not hold the timer.
      if (child.state !== "starting" || died.signal.aborted) return;
      child.state = "ready";
      this.#endCourtesy(child);
      if (asked) this.shared.publish(name, "ready", { process_pid: child.pid });
      this.events.onReady(child);
    } catch (error) {
      if (!died.signal.aborted) this.#late(name, child, `(${reasonOf(error)})`);
    } finally {
      clearTimeout(late);
    }
  }

  #late(name: string, child: Child, how: string): void {
    if (child.asked) return;
    const said =
      child.tail.lines.length === 0 ? " It said nothing." : ` Its last lines:\n${child.tail.lines.join("\n")}`;
    const error = new CircusError("NOT_READY", `${name}: process ${child.pid} did not become ready ${how}.${said}`);
    this.events.onLate(child, error); // W2
  }

  #findHeir(child: Child) {
    try {
      return findHeir(child, this.shared.ledger.mark);
    } catch (error) {
      this.shared.log.error({ pid: child.pid }, `cannot look for a successor in /proc: ${reasonOf(error)}`);
      return undefined;
    }
  }

  /** W4. Before the old one is struck off, so that it is never missed. */
  #adoptHeir(name: string, child: Child): Child | undefined {
    const found = this.#findHeir(child);
    if (found === undefined) return undefined;
    const heir = Child.adopt(found, child);
    this.#members.set(heir.pid, heir);
    this.shared.ledger.add(name, heir.pid, heir.startTicks);
    this.shared.publish(name, "spawn", { process_pid: heir.pid });
    void heir.exited.then((exit) => this.#ended(name, heir, exit));
    this.shared.log.info({ watcher: name, pid: heir.pid, before: child.pid }, "succeeded by a process that it started");
    return heir;
  }

  #ended(name: string, child: Child, exit: Exit): void {
    const heir = this.#adoptHeir(name, child);
    this.#members.delete(child.pid);
    this.#courtesies.get(child)?.forget();
    this.#courtesies.delete(child);
    if (this.ready.length === 0) for (const one of [...this.#courtesies.keys()]) this.#endCourtesy(one); // W5
    if (heir === undefined) this.#wids.delete(child.wid);
    this.shared.ledger.remove(child.pid);
    this.shared.publish(name, "reap", { process_pid: child.pid, exit_code: eventCode(exit) });
    this.shared.onDeath({ watcher: name, pid: child.pid, startTicks: child.startTicks, ...exit, asked: child.asked }); // W3
    this.events.onEnd(child, exit, heir);
  }
}

/** Resolves after `ms`, or at once when `signal` aborts. Leaves no timer. */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  if (signal?.aborted === true) return Promise.resolve();
  return new Promise((resolve) => {
    const timer = setTimeout(done, ms);
    function done(): void {
      clearTimeout(timer);
      signal?.removeEventListener("abort", done);
      resolve();
    }
    signal?.addEventListener("abort", done, { once: true });
  });
}
