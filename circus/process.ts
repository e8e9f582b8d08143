// One child process: started in a process group of its own, listened to, ended with everything it started.
//
//   watcher.ts -> Child.start -> execa (detached: setsid) -> exit event -> the rest of its group is ended -> exited
//
//   K1. `exited` settles when the process AND its whole group are gone, so that a death certificate is true: nothing
//       of this instance still runs. When it was asked to end (a shell ends at once, the program in it does not), what it left behind
//       is asked, too, and has what is left of the grace. When it died unasked that gets SIGKILL at once: its owner has gone.
//   K2. A signal is never sent to a pid whose exit was seen.
//   K3. Its environment is what its watcher says plus HEADFRAME_CIRCUS, by which leftovers of a manager that was killed
//       are known again (leftovers.ts).
//
// A process that leaves its group by setsid(2), as daemons do, escapes K1: run it in the foreground.

import type { ChildProcess } from "node:child_process";
import { execa, type Options } from "execa";
import { CircusError, reasonOf } from "./errors.js";
import type { Exit } from "./exit.js";
import { untilEnded } from "./heir.js";
import { LineSplitter, type LogSink, Tail } from "./logs.js";
import { groupMembers, isErrno, type ProcStat, readStat } from "./proc.js";

export interface ChildSpec {
  readonly words: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string | undefined;
  /** Number within the watcher, from 1. */
  readonly wid: number;
  /** Listening sockets; the first becomes file descriptor 3 of the child, and so on. */
  readonly sockets: readonly number[];
  readonly closeStdin: boolean;
  /** undefined: the output goes nowhere. */
  readonly stdout: LogSink | undefined;
  readonly stderr: LogSink | undefined;
}

/** starting: runs, not yet shown to be ready. stopping: was asked to end. */
export type ChildState = "starting" | "ready" | "stopping" | "gone";

export interface StopOptions {
  readonly signal: NodeJS.Signals;
  /** Then SIGKILL to the whole group. */
  readonly gracefulMs: number;
  /** The signal goes to the whole group instead of the process alone. */
  readonly children: boolean;
}

/** How often a group that was sent SIGKILL is looked at until it is gone. */
const SWEEP_EVERY_MS = 10;
/** A process in an uninterruptible wait cannot be ended by anyone: 5 s, then it is given up. */
const SWEEP_MAX_MS = 5_000;

export class Child {
  state: ChildState = "starting";
  /** Its end was asked for, so it is no failure. */
  asked = false;
  readonly startedAtMs = Date.now();
  readonly tail: Tail;
  /** Never rejects. See K1. */
  readonly exited: Promise<Exit>;
  /** Settles with the exit event of the process itself, before its group is swept. */
  readonly died: Promise<Exit>;
  #dead = false;
  #grace: Grace | undefined;

  private constructor(
    readonly pid: number,
    readonly wid: number,
    /** Ticks since boot; undefined when the process had ended before it could be read. */
    readonly startTicks: number | undefined,
    exit: Promise<Exit>,
    tail: Tail,
  ) {
    this.tail = tail;
    this.died = exit.then((how) => {
      this.#dead = true;
      return how;
    });
    this.exited = this.died.then(async (exit) => {
      await sweepGroup(pid, this.#grace);
      this.state = "gone";
      return exit;
    });
  }

  /** @throws {CircusError} OS when the program cannot be started: not found, not executable, no such directory, ... */
  static async start(spec: ChildSpec): Promise<Child> {
    const [file = "", ...args] = spec.words;
    const options: Options = {
      detached: true, // setsid: a group of its own, out of reach of the terminal's Ctrl-C.
      cleanup: false, // Ending children is this module's work, in order and with a deadline.
      buffer: false,
      reject: false,
      extendEnv: false,
      env: { ...spec.env },
      ...(spec.cwd === undefined ? {} : { cwd: spec.cwd }),
      stdio: [
        spec.closeStdin ? "ignore" : "inherit",
        output(spec.stdout),
        output(spec.stderr),
        ...descriptors(spec.sockets),
      ],
    };
    const subprocess = execa(file, args, options);
    const { pid } = subprocess;
    if (pid === undefined) {
      const failure = await subprocess;
      const why = failure.originalMessage ?? failure.shortMessage ?? "unknown reason";
      throw new CircusError("OS", `cannot start ${JSON.stringify(file)}: ${why}`, { cause: failure });
    }
    const tail = new Tail();
    listen(subprocess.stdout, pid, tail, spec.stdout);
    listen(subprocess.stderr, pid, tail, spec.stderr);
    return new Child(pid, spec.wid, readStat(pid)?.startTicks, exitOf(subprocess as ChildProcess), tail);
  }

  /** A process that `before` started in its own place. What it says comes by the pipes of the first one. */
  static adopt(heir: ProcStat, before: Child): Child {
    const child = new Child(heir.pid, before.wid, heir.startTicks, untilEnded(heir), before.tail);
    child.state = "ready";
    return child;
  }

  /** False when the process is gone already. */
  signal(signal: NodeJS.Signals): boolean {
    return !this.#dead && send(this.pid, signal); // K2
  }

  /** To the process and every other member of its group. */
  signalGroup(signal: NodeJS.Signals): boolean {
    return !this.#dead && send(-this.pid, signal);
  }

  /** Resolves when the process and its group are gone. */
  async stop(options: StopOptions): Promise<Exit> {
    this.asked = true;
    if (this.state !== "gone") this.state = "stopping";
    this.#grace = {
      untilMs: performance.now() + options.gracefulMs,
      signal: options.children ? undefined : options.signal,
    };
    if (options.children) this.signalGroup(options.signal);
    else this.signal(options.signal);
    const timer = setTimeout(() => this.#kill(), options.gracefulMs);
    try {
      await this.died;
    } finally {
      clearTimeout(timer);
    }
    return this.exited;
  }

  #kill(): void {
    try {
      this.signalGroup("SIGKILL");
    } catch {
      // Not ours to signal, which the first signal has reported; it is waited for.
    }
  }
}

function exitOf(subprocess: ChildProcess): Promise<Exit> {
  return new Promise((resolve) => {
    subprocess.once("exit", (exitCode, signal) => resolve({ exitCode, signal }));
  });
}

/** execa hands any open descriptor on; its types name only the first ten. */
function descriptors(fds: readonly number[]): readonly 3[] {
  return fds as readonly 3[];
}

function output(sink: LogSink | undefined): "pipe" | "ignore" {
  return sink === undefined ? "ignore" : "pipe";
}

function listen(stream: NodeJS.ReadableStream | null, pid: number, tail: Tail, sink: LogSink | undefined): void {
  if (stream === null || sink === undefined) return;
  const lines = new LineSplitter((line) => {
    tail.add(line);
    sink(line, pid);
  });
  stream.on("data", (chunk: Buffer) => lines.push(chunk));
  stream.once("end", () => lines.end());
  stream.once("error", () => lines.end()); // A broken pipe: the process is gone, and its exit is what counts.
}

function send(target: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(target, signal);
  } catch (error) {
    if (isErrno(error, "ESRCH")) return false;
    throw new CircusError("OS", `cannot send ${signal} to ${target}: ${reasonOf(error)}`, { cause: error });
  }
}

/** For what a process that was asked to end has left behind. */
interface Grace {
  /** On performance.now()'s clock. */
  readonly untilMs: number;
  /** What it is asked with; undefined: it has been asked already. */
  readonly signal: NodeJS.Signals | undefined;
}

/**
 * Ends what is left of a process group. The number cannot have gone to strangers: Linux keeps a pid reserved while it
 * names a group with members, and an empty group is left alone.
 */
export async function sweepGroup(group: number, grace?: Grace): Promise<void> {
  if (grace?.signal !== undefined && hasMembers(group) && !signalled(group, grace.signal)) return;
  while (grace !== undefined && performance.now() < grace.untilMs && hasMembers(group)) await look();
  const giveUpAtMs = performance.now() + SWEEP_MAX_MS;
  while (hasMembers(group) && performance.now() < giveUpAtMs) {
    if (!signalled(group, "SIGKILL")) return;
    await look();
  }
}

const look = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, SWEEP_EVERY_MS));

/** False: gone between two looks, or not ours. */
function signalled(group: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(-group, signal);
  } catch {
    return false;
  }
}

/** When /proc cannot be read (no descriptor is left), there may be some: they are not certified as gone. */
function hasMembers(group: number): boolean {
  try {
    return groupMembers(group).length > 0;
  } catch {
    return true;
  }
}
