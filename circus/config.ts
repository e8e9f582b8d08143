// From the parsed file and an environment to what the manager runs. Pure: the caller has read the files (include.ts).
//
//   Ini + environment -> buildConfig -> ArbiterConfig -> Arbiter.open
//
//   G1. All mistakes of a file are reported together, each with file, line, key, what was found and what is accepted.
//   G2. The default endpoints are unix sockets in the run directory: Circus's protocol has no authentication, and its
//       default TCP ports would give every local user the right to run commands as the manager.

import path from "node:path";
import { commandWords } from "./command.js";
import { CircusError, reasonOf } from "./errors.js";
import { globMatches } from "./glob.js";
import type { Ini, IniEntry } from "./ini.js";
import {
  type AnyOption,
  atOption,
  CIRCUS_OPTIONS,
  type Place,
  readOption,
  refuseKey,
  SOCKET_OPTIONS,
  WATCHER_OPTIONS,
} from "./options.js";
import { expandShellNames, replaceVariables } from "./variables.js";
import { type Attempt, fail, makeWatcher, type WatcherConfig } from "./watcher-config.js";

export interface SocketConfig {
  /** Lower case, as Circus makes it. */
  readonly name: string;
  readonly host: string;
  readonly port: number;
  readonly path: string | undefined;
  readonly backlog: number;
  /** Remove a stale unix socket file first. */
  readonly replace: boolean;
}

export interface ArbiterConfig {
  /** Holds the unix sockets and circus.pids; made, mode 700, when missing. */
  readonly runDirectory: string;
  readonly endpoint: string;
  readonly pubsub_endpoint: string;
  /** undefined: no stats are published. */
  readonly stats_endpoint: string | undefined;
  /** User name or id that may speak to the ipc endpoints, besides root. */
  readonly endpoint_owner: string | undefined;
  /** Module that knows when processes serve (witness.ts), for a manager that no program embeds. */
  readonly witness: string | undefined;
  readonly check_delay: number;
  /** Seconds between the start of one watcher and the next. */
  readonly warmup_delay: number;
  readonly watchers: readonly WatcherConfig[];
  readonly sockets: readonly SocketConfig[];
}

export interface BuildOptions {
  /** Values of $(circus.env.X), and what `copy_env` copies. Usually process.env. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly runDirectory: string;
}

/**
 * @throws {CircusError} BAD_OPTION with all mistakes found, one a line.
 */
export function buildConfig(ini: Ini, options: BuildOptions): ArbiterConfig {
  const problems: string[] = [];
  const attempt = <Value>(act: () => Value): Value | undefined => {
    try {
      return act();
    } catch (error) {
      problems.push(reasonOf(error));
      return undefined;
    }
  };
  const outer = definedOnly(options.env);
  const local = attempt(() => readEnv(ini, "env", outer)) ?? {};
  const env = { ...outer, ...local };
  const sockets: SocketConfig[] = [];
  const watchers: WatcherConfig[] = [];
  for (const [section, entries] of ini) {
    const [kind = "", name] = splitSection(section);
    const built = attempt(() => {
      if (kind === "socket") return sockets.push(readSocket(name, section, entries, env, attempt));
      if (kind === "watcher") return watchers.push(readWatcher(ini, name, section, entries, { outer, local, attempt }));
      return checkSection(section, kind);
    });
    if (built === undefined) continue;
  }
  const circus = readCircus(ini.get("circus") ?? new Map(), env, options.runDirectory, attempt);
  problems.push(...crossChecks(watchers, sockets));
  if (problems.length > 0) throw new CircusError("BAD_OPTION", problems.join("\n"));
  watchers.sort((a, b) => (a.name < b.name ? -1 : 1));
  sockets.sort((a, b) => (a.name < b.name ? -1 : 1));
  return { ...circus, runDirectory: options.runDirectory, watchers, sockets };
}

type Env = Readonly<Record<string, string>>;

function definedOnly(env: Readonly<Record<string, string | undefined>>): Env {
  return Object.fromEntries(Object.entries(env).filter((pair): pair is [string, string] => pair[1] !== undefined));
}

function splitSection(section: string): [string, string] {
  const colon = section.indexOf(":");
  return colon < 0 ? [section, ""] : [section.slice(0, colon), section.slice(colon + 1).trim()];
}

function checkSection(section: string, kind: string): 0 {
  if (section === "circus" || section === "env" || kind === "env") return 0;
  if (kind === "plugin")
    throw new Error(`[${section}]: not supported: plugins are Python code, and this manager runs none`);
  throw new Error(
    `[${section}]: unknown section; accepted: [circus], [env], [env:GLOB], [watcher:NAME], [socket:NAME]`,
  );
}

function place(section: string, entry?: IniEntry): Place {
  return entry === undefined ? { what: `[${section}]` } : { what: `[${section}]`, file: entry.file, line: entry.line };
}

/** Circus's order: the manager's environment, then [env]; `$NAME` and $(circus.env.X) come from what is known so far. */
function readEnv(ini: Ini, section: string, outer: Env): Env {
  const values: Record<string, string> = {};
  for (const [key, entry] of ini.get(section) ?? []) {
    values[key] = atOption(place(section, entry), key, () => {
      return expandShellNames(replaceVariables(entry.value, { env: { ...outer, ...values } }), outer);
    });
  }
  return values;
}

/** What the sections [env:GLOB] set for a watcher; their values may name variables of `base`. */
function envOf(ini: Ini, watcher: string, base: Env): Env {
  const env: Record<string, string> = {};
  for (const section of ini.keys()) {
    const [kind, globs] = splitSection(section);
    if (kind !== "env" || !globs.split(",").some((glob) => globMatches(glob.trim(), watcher))) continue;
    Object.assign(env, readEnv(ini, section, { ...base, ...env }));
  }
  return env;
}

interface WatcherContext {
  readonly outer: Env;
  readonly local: Env;
  readonly attempt: Attempt;
}

function readWatcher(
  ini: Ini,
  name: string,
  section: string,
  entries: ReadonlyMap<string, IniEntry>,
  { outer, local, attempt }: WatcherContext,
): WatcherConfig {
  if (!/^[\w .-]{1,64}$/.test(name)) {
    throw new Error(`[${section}]: a watcher's name is 1 to 64 letters, digits, spaces, dots, dashes or underscores`);
  }
  const copies = attempt(() => copyEnv(section, entries.get("copy_env"))) ?? false;
  const own = ownEnv(entries);
  const env = { ...(copies ? outer : {}), ...local, ...envOf(ini, name, { ...outer, ...local }), ...own };
  const seen = { ...outer, ...env };
  const raw = new Map<string, unknown>();
  for (const [key, entry] of entries) {
    if (key.startsWith("env.")) continue;
    const filled = () => replaceVariables(entry.value, { env: seen }, ["wid", "sockets"]);
    attempt(() => raw.set(key, atOption(place(section, entry), key, filled)));
  }
  return makeWatcher(name, raw, env, (key) => place(section, entries.get(key)), attempt);
}

function copyEnv(section: string, entry: IniEntry | undefined): boolean {
  return entry !== undefined && readOption(place(section, entry), "copy_env", WATCHER_OPTIONS.copy_env, entry.value);
}

/** `env.X = value` within a watcher: ours reads it as one more variable. */
function ownEnv(entries: ReadonlyMap<string, IniEntry>): Env {
  const pairs = [...entries].filter(([key]) => key.startsWith("env."));
  return Object.fromEntries(pairs.map(([key, entry]) => [key.slice("env.".length), entry.value]));
}

function readSocket(
  name: string,
  section: string,
  entries: ReadonlyMap<string, IniEntry>,
  env: Env,
  attempt: Attempt,
): SocketConfig {
  const found = readTable(SOCKET_OPTIONS, section, entries, env, attempt);
  const file = found.path;
  if (found.family === "AF_UNIX" && file === undefined) fail(place(section), "an AF_UNIX socket needs a path");
  if (file === undefined && found.port === undefined) fail(place(section), "needs a port, or a path");
  const host = found.family === "AF_INET6" ? "::1" : "127.0.0.1";
  return {
    host,
    port: 0,
    path: undefined,
    backlog: 2_048,
    replace: false,
    ...found,
    name: name.toLowerCase(),
  } as SocketConfig;
}

function readTable(
  table: Readonly<Record<string, AnyOption>>,
  section: string,
  entries: ReadonlyMap<string, IniEntry>,
  env: Env,
  attempt: Attempt,
): Record<string, unknown> {
  const values: Record<string, unknown> = {};
  for (const [key, entry] of entries) {
    attempt(() => {
      const known = Object.hasOwn(table, key) ? table[key] : undefined;
      if (known === undefined) return refuseKey(place(section, entry), key, Object.keys(table));
      const text = atOption(place(section, entry), key, () => replaceVariables(entry.value, { env }));
      values[key] = readOption(place(section, entry), key, known, text);
      return undefined;
    });
  }
  return values;
}

type CircusSection = Omit<ArbiterConfig, "runDirectory" | "watchers" | "sockets">;

function readCircus(entries: ReadonlyMap<string, IniEntry>, env: Env, run: string, attempt: Attempt): CircusSection {
  const found = readTable(CIRCUS_OPTIONS, "circus", entries, env, attempt);
  const statsOn = found.statsd === true || found.stats_endpoint !== undefined;
  const { statsd: _, multicast_endpoint: _m, include: _i, include_dir: _d, ...kept } = found;
  const defaults: CircusSection = {
    endpoint: `ipc://${path.join(run, "circus.sock")}`,
    pubsub_endpoint: `ipc://${path.join(run, "circus-events.sock")}`,
    stats_endpoint: statsOn ? `ipc://${path.join(run, "circus-stats.sock")}` : undefined,
    endpoint_owner: undefined,
    witness: undefined,
    check_delay: 5,
    warmup_delay: 0,
  };
  return { ...defaults, ...kept };
}

function crossChecks(watchers: readonly WatcherConfig[], sockets: readonly SocketConfig[]): string[] {
  const problems: string[] = [];
  const names = new Map<string, string>();
  for (const { name } of watchers) {
    const other = names.get(name.toLowerCase());
    if (other !== undefined) problems.push(`[watcher:${name}]: its name differs from [watcher:${other}] only in case`);
    names.set(name.toLowerCase(), name);
  }
  if (sockets.length === 0 && watchers.some((watcher) => watcher.use_sockets)) {
    problems.push("use_sockets is set, but there is no [socket:NAME] section");
  }
  return [...problems, ...watchers.flatMap((watcher) => commandProblem(watcher, sockets))];
}

/** Puts the command together as a start would, so that its mistakes show now. */
function commandProblem({ name, ...watcher }: WatcherConfig, sockets: readonly SocketConfig[]): string[] {
  if (watcher.cmd === undefined) return []; // Reported already.
  const numbers = new Map(watcher.use_sockets ? sockets.map((socket) => [socket.name, 0]) : []);
  const fill = (text: string): string => replaceVariables(text, { wid: 1, env: watcher.env, sockets: numbers });
  try {
    commandWords({ ...watcher, cmd: fill(watcher.cmd), args: watcher.args.map(fill) });
    return [];
  } catch (error) {
    return [`[watcher:${name}], cmd: ${reasonOf(error)}`];
  }
}
