// One watcher's options put together: from circus.ini, from the command `add`, from `set`. Pure.
//
//   Every place that makes a watcher goes through makeWatcher, so the same words mean the same and are refused alike.

import { splitWords } from "./command.js";
import {
  type AnyOption,
  atOption,
  isRlimit,
  type Place,
  RLIMIT_OPTION,
  readOption,
  refuseKey,
  STREAM_OPTIONS,
  WATCHER_OPTIONS,
} from "./options.js";

export interface StreamConfig {
  readonly class: "FileStream" | "StdoutStream";
  readonly filename: string | undefined;
  /** Rotate before the file would reach this size; 0 never. */
  readonly max_bytes: number;
  readonly backup_count: number;
  readonly time_format: string | undefined;
}

/** One watcher. Names and units (seconds) are Circus's; see docs of the options in circus.ini. */
export interface WatcherConfig {
  readonly name: string;
  readonly cmd: string;
  readonly args: readonly string[];
  readonly shell: boolean;
  readonly numprocesses: number;
  readonly warmup_delay: number;
  readonly graceful_timeout: number;
  readonly stop_signal: NodeJS.Signals;
  readonly stop_children: boolean;
  /** `reload` sends SIGHUP to the processes instead of replacing them. */
  readonly send_hup: boolean;
  readonly singleton: boolean;
  readonly respawn: boolean;
  readonly autostart: boolean;
  readonly max_retry: number;
  readonly retry_window: number;
  readonly ready: boolean;
  readonly ready_timeout: number;
  /** Seconds that the first new process of a reload must live after it was ready, before the old one is stopped. */
  readonly settle: number;
  readonly copy_env: boolean;
  readonly working_dir: string | undefined;
  readonly priority: number;
  readonly max_age: number;
  readonly max_age_variance: number;
  readonly use_sockets: boolean;
  readonly close_child_stdin: boolean;
  readonly close_child_stdout: boolean;
  readonly close_child_stderr: boolean;
  readonly env: Readonly<Record<string, string>>;
  readonly rlimits: Readonly<Record<string, number | undefined>>;
  readonly stdout_stream: StreamConfig | undefined;
  readonly stderr_stream: StreamConfig | undefined;
}

export const WATCHER_DEFAULTS: Omit<WatcherConfig, "name" | "cmd"> = {
  args: [],
  shell: false,
  numprocesses: 1,
  warmup_delay: 0,
  graceful_timeout: 30,
  stop_signal: "SIGTERM",
  stop_children: false,
  send_hup: false,
  singleton: false,
  respawn: true,
  autostart: true,
  max_retry: 5,
  retry_window: 60,
  ready: false,
  ready_timeout: 30,
  settle: 0,
  copy_env: false,
  working_dir: undefined,
  priority: 0,
  max_age: 0,
  max_age_variance: 30,
  use_sockets: false,
  close_child_stdin: true,
  close_child_stdout: false,
  close_child_stderr: false,
  env: {},
  rlimits: {},
  stdout_stream: undefined,
  stderr_stream: undefined,
};

/** How a mistake is noted: collected by whoever reads a whole file, thrown otherwise. */
export type Attempt = <Value>(act: () => Value) => Value | undefined;

/**
 * Builds a watcher from option names and values, from the file or from the command `add`.
 *
 * @param attempt How a mistake is noted. By default the first one is thrown.
 * @throws {OptionProblem | Error} naming the option.
 */
export function makeWatcher(
  name: string,
  raw: ReadonlyMap<string, unknown>,
  env: Readonly<Record<string, string>>,
  placeOf: (key: string) => Place,
  attempt: Attempt = (act) => act(),
): WatcherConfig {
  const values: Record<string, unknown> = {};
  const streams: Record<string, Record<string, unknown>> = { stdout_stream: {}, stderr_stream: {} };
  const rlimits: Record<string, number | undefined> = {};
  for (const [key, value] of raw) {
    attempt(() => {
      const [stream = "", part] = key.split(/\.(.*)/s);
      const parts = streams[stream];
      if (parts !== undefined && part !== undefined) parts[part] = readStreamOption(placeOf(key), key, part, value);
      else if (isRlimit(key))
        rlimits[key.slice("rlimit_".length)] = readOption(placeOf(key), key, RLIMIT_OPTION, value);
      else values[key] = readWatcherOption(placeOf(key), key, value);
    });
  }
  const watcher = { ...WATCHER_DEFAULTS, ...values, name, env, rlimits } as WatcherConfig;
  const stdout_stream = attempt(() => makeStream(placeOf("stdout_stream.class"), streams.stdout_stream ?? {}));
  const stderr_stream = attempt(() => makeStream(placeOf("stderr_stream.class"), streams.stderr_stream ?? {}));
  if (watcher.cmd === undefined) attempt(() => fail(placeOf("cmd"), "cmd is missing: the command line to run"));
  if (watcher.singleton && watcher.numprocesses > 1) {
    attempt(() => fail(placeOf("numprocesses"), "a singleton has at most one process"));
  }
  return { ...watcher, stdout_stream, stderr_stream };
}

export function fail(at: Place, problem: string): never {
  throw new Error(`${at.file === undefined ? "" : `${at.file}:${at.line ?? 1}: `}${at.what}: ${problem}`);
}

export function readWatcherOption(at: Place, key: string, value: unknown): unknown {
  if (!isKey(WATCHER_OPTIONS, key)) return refuseKey(at, key, [...Object.keys(WATCHER_OPTIONS), "stdout_stream.class"]);
  const known: AnyOption = WATCHER_OPTIONS[key];
  const read = readOption(at, key, known, value);
  return key === "args" && typeof read === "string" ? atOption(at, key, () => splitWords(read)) : read;
}

function isKey<Table extends object>(table: Table, key: string): key is Extract<keyof Table, string> {
  return Object.hasOwn(table, key);
}

function readStreamOption(at: Place, key: string, part: string, value: unknown): unknown {
  if (!isKey(STREAM_OPTIONS, part)) return refuseKey(at, key, Object.keys(STREAM_OPTIONS));
  const known: AnyOption = STREAM_OPTIONS[part];
  return readOption(at, key, known, value);
}

function makeStream(at: Place, parts: Readonly<Record<string, unknown>>): StreamConfig | undefined {
  if (Object.keys(parts).length === 0) return undefined;
  const defaults = { class: "FileStream", filename: undefined, max_bytes: 0, backup_count: 0, time_format: undefined };
  const stream = { ...defaults, ...parts } as StreamConfig;
  if (stream.class === "FileStream" && stream.filename === undefined) fail(at, "a FileStream needs a filename");
  return stream;
}

/** Options whose change needs new processes. */
const NEEDS_NEW_PROCESSES: ReadonlySet<string> = new Set([
  ...["cmd", "args", "shell", "env", "working_dir", "copy_env", "use_sockets", "rlimits"],
  ...["stdout_stream", "stderr_stream", "close_child_stdin", "close_child_stdout", "close_child_stderr"],
]);

/** Of the options that are to change: those that only new processes have, and the rest, which take effect at once. */
export function splitChanges(changes: Partial<WatcherConfig>): Record<"anew" | "rest", Partial<WatcherConfig>> {
  const pick = (needs: boolean) => Object.entries(changes).filter(([key]) => NEEDS_NEW_PROCESSES.has(key) === needs);
  return { anew: Object.fromEntries(pick(true)), rest: Object.fromEntries(pick(false)) };
}

export interface ReloadOptions {
  readonly pid?: number | undefined;
  readonly changes?: Partial<WatcherConfig>;
}
