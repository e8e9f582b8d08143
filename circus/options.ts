// The words of circus.ini with their meaning: every option, its type, its bounds, its default, and what is refused by name.
//
//   Ini (strings), `set` and `add` over the control socket (JSON) -> readOptions -> typed options
//
//   O1. The names are Circus's, also inside the program: what an operator writes, reads in `options` and sets is one word.
//       Seconds are seconds, as there.
//   O2. An unknown option is refused with the nearest known one; an option of Circus's that is not supported here is
//       refused with the reason. Nothing is silently ignored.
//   O3. Each refusal says where (file and line), which key, what was found and what is accepted.

import { constants } from "node:os";
import { z } from "zod";
import { RLIMITS } from "./command.js";
import { reasonOf } from "./errors.js";
import { TIME_DIRECTIVES } from "./timestamp.js";

/** Bounds with their reason: more processes than this on one host is a mistyped number. */
const PROCESSES_MAX = 1_000;
/** A timer of Node's holds 2^31 ms; 20 days stay below it. */
const SECONDS_MAX = 1_728_000;
/** Of any text: a command line is at most a few kB. */
const TEXT_MAX = 16_384;

interface Option<Value extends z.ZodType> {
  readonly schema: Value;
  /** Completes "accepted: ...". */
  readonly accepts: string;
}

export type AnyOption = Option<z.ZodType>;

function option<Value extends z.ZodType>(schema: Value, accepts: string): Option<Value> {
  return { schema, accepts };
}

// Values come as text from the file and from circusctl, as JSON from other clients.
const number = z.union([
  z.number(),
  z
    .string()
    .regex(/^-?\d+(\.\d+)?$/)
    .transform(Number),
]);
const integer = (min: number, max: number) =>
  option(number.pipe(z.number().int().min(min).max(max)), `an integer from ${min} to ${max}`);
const seconds = option(number.pipe(z.number().min(0).max(SECONDS_MAX)), `seconds from 0 to ${SECONDS_MAX}`);
const flag = option(
  z.union([z.boolean(), z.stringbool({ truthy: ["true", "1"], falsy: ["false", "0"] })]),
  "true or false",
);
const text = option(z.string().min(1).max(TEXT_MAX), `text of 1 to ${TEXT_MAX} characters`);
const words = option(
  z.union([z.string().max(TEXT_MAX), z.array(z.string().max(TEXT_MAX)).max(1_000)]),
  "text, split like a shell does, or a list of words",
);

/** Accepts `TERM`, `SIGTERM`, `term`, `15`: Circus does. */
export const signalOption = option(
  z.union([z.string().max(16), z.number().int()]).transform((value, context): NodeJS.Signals => {
    const name = signalNamed(value);
    if (name !== undefined) return name;
    context.addIssue({ code: "custom", message: "no such signal" });
    return z.NEVER;
  }),
  "a signal by name or number, like SIGTERM or 15",
);

function signalNamed(value: string | number): NodeJS.Signals | undefined {
  const wanted = String(value).toUpperCase();
  for (const [name, number] of Object.entries(constants.signals)) {
    if (wanted === name || `SIG${wanted}` === name || wanted === String(number)) return name as NodeJS.Signals;
  }
  return undefined;
}

/** What `[watcher:x]` accepts. Options of ours, which Circus ignores: ready, ready_timeout, settle, retry_window. */
export const WATCHER_OPTIONS = {
  cmd: text,
  args: words,
  shell: flag,
  numprocesses: integer(0, PROCESSES_MAX),
  warmup_delay: seconds,
  graceful_timeout: seconds,
  stop_signal: signalOption,
  stop_children: flag,
  send_hup: flag,
  singleton: flag,
  respawn: flag,
  autostart: flag,
  max_retry: integer(-1, 10_000),
  retry_window: seconds,
  ready: flag,
  ready_timeout: seconds,
  settle: seconds,
  copy_env: flag,
  working_dir: text,
  priority: integer(-1_000_000, 1_000_000),
  max_age: integer(0, SECONDS_MAX),
  max_age_variance: integer(0, 86_400),
  use_sockets: flag,
  close_child_stdin: flag,
  close_child_stdout: flag,
  close_child_stderr: flag,
} as const;

/** What `stdout_stream.X` and `stderr_stream.X` accept. */
export const STREAM_OPTIONS = {
  class: option(z.enum(["FileStream", "StdoutStream"]), "FileStream or StdoutStream"),
  filename: text,
  max_bytes: integer(0, 1_099_511_627_776),
  backup_count: integer(0, 100),
  time_format: option(
    z
      .string()
      .max(100)
      .regex(new RegExp(`^([^%]|%[${TIME_DIRECTIVES}])*$`)),
    `text with strftime's %${[...TIME_DIRECTIVES].join(" %")}`,
  ),
} as const;

/** What `[circus]` accepts. `witness` is ours. `check_delay` is kept for Circus: here a process's end is an event, not found by polling. */
export const CIRCUS_OPTIONS = {
  endpoint: text,
  pubsub_endpoint: text,
  stats_endpoint: text,
  statsd: flag,
  check_delay: seconds,
  warmup_delay: seconds,
  endpoint_owner: text,
  witness: text,
  multicast_endpoint: option(
    z.literal(""),
    "nothing after `=` (the protocol has no authentication: it is not announced)",
  ),
  include: option(z.string(), "file names or globs, relative to this file"),
  include_dir: option(z.string(), "directories, relative to this file"),
} as const;

/** What `[socket:x]` accepts. */
export const SOCKET_OPTIONS = {
  host: text,
  port: integer(0, 65_535),
  path: text,
  family: option(z.enum(["AF_INET", "AF_INET6", "AF_UNIX"]), "AF_INET, AF_INET6 or AF_UNIX"),
  type: option(z.literal("SOCK_STREAM"), "SOCK_STREAM"),
  backlog: integer(1, 65_535),
  replace: flag,
} as const;

export const RLIMIT_OPTION = option(
  z.union([z.literal("").transform(() => undefined), number.pipe(z.number().int().min(0))]),
  "an integer from 0, or nothing for unlimited",
);

const PYTHON = "it names Python code, and this manager runs none";
const NO_USER = "start the manager as that user, or let the command change it";

/** Circus's own options that are refused, with the reason (O2). Those ending in a dot or `_` are prefixes. */
export const UNSUPPORTED: Readonly<Record<string, string>> = {
  "hooks.": PYTHON,
  hooks: PYTHON,
  virtualenv: PYTHON,
  copy_path: PYTHON,
  uid: NO_USER,
  gid: NO_USER,
  executable: "write the program first in cmd",
  shell_args: "write them into cmd",
  on_demand: "a watcher runs or is stopped; set autostart = false and start it by command",
  check_flapping: "max_retry within retry_window is always watched",
  use_papa: "there is no papa process",
  papa_endpoint: "there is no papa process",
  stream_backend: "there is one way of reading output",
  httpd: "there is no web console",
  httpd_host: "there is no web console",
  httpd_port: "there is no web console",
  debug: "set the log level of the program that runs the manager",
  debug_gc: "this manager is not Python",
  loglevel: "set the log level of the program that runs the manager",
  logoutput: "the manager logs to its standard output",
  loggerconfig: "the manager logs to its standard output",
  pidfile: "circus.pids in the run directory has the manager's pid and its children's",
  fqdn_prefix: "there is one host",
  umask: "set the umask of the shell that starts the manager",
  ssh_server: "the endpoint is local",
  so_reuseport: "each child would bind for itself: let it",
  interface: "bind to an address of that interface instead",
  proto: "sockets here are TCP or unix streams",
  blocking: "sockets here are non-blocking",
};

/** Where an option was read, for the refusal. */
export interface Place {
  readonly what: string;
  readonly file?: string;
  readonly line?: number;
}

/** One option that is not acceptable. Its message is a whole sentence. */
export class OptionProblem extends Error {
  override readonly name = "OptionProblem";

  constructor(
    readonly place: Place,
    readonly key: string,
    problem: string,
  ) {
    const where = place.file === undefined ? "" : `${place.file}:${place.line ?? 1}: `;
    super(`${where}${place.what}, ${key}: ${problem}`);
  }
}

/**
 * Checks one value.
 *
 * @throws {OptionProblem} saying what was found and what is accepted.
 */
export function readOption<Value extends z.ZodType>(
  place: Place,
  key: string,
  from: Option<Value>,
  value: unknown,
): z.output<Value> {
  const result = from.schema.safeParse(value);
  if (result.success) return result.data;
  throw new OptionProblem(place, key, `found ${shown(value)}; accepted: ${from.accepts}`);
}

/** Runs `act`, which reads one option's value; whatever it finds wrong becomes an OptionProblem of that option. */
export function atOption<Value>(place: Place, key: string, act: () => Value): Value {
  try {
    return act();
  } catch (error) {
    if (error instanceof OptionProblem) throw error;
    throw new OptionProblem(place, key, reasonOf(error));
  }
}

/** @throws {OptionProblem} always: the key is unknown, or known to Circus and unsupported here. */
export function refuseKey(place: Place, key: string, known: readonly string[]): never {
  const prefix = Object.keys(UNSUPPORTED).find((name) => name.endsWith(".") && key.startsWith(name));
  const reason = Object.hasOwn(UNSUPPORTED, key) ? UNSUPPORTED[key] : prefix && UNSUPPORTED[prefix];
  if (reason !== undefined && reason !== "") throw new OptionProblem(place, key, `not supported: ${reason}`);
  const meant = known.find((name) => plain(name) === plain(key));
  const hint = meant === undefined ? `accepted: ${known.join(", ")}` : `did you mean ${meant}?`;
  throw new OptionProblem(place, key, `unknown option; ${hint}`);
}

/** `Graceful-Timeout` and `graceful_timeout` are one word to a person. */
function plain(name: string): string {
  return name.toLowerCase().replace(/[-_]/g, "");
}

function shown(value: unknown): string {
  const json = JSON.stringify(value) ?? String(value);
  return json.length > 100 ? `${json.slice(0, 100)}...` : json;
}

export function isRlimit(key: string): boolean {
  return key.startsWith("rlimit_") && RLIMITS.some((name) => key === `rlimit_${name}`);
}
