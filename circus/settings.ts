// Options that arrive over the control socket: `set` on a watcher, `add` of a new one. The same words, the same refusals as
// in circus.ini. Pure.

import { maskText, maskVariables } from "../lib/core/secrets.js";
import { CircusError, reasonOf } from "./errors.js";
import { OptionProblem, type Place, readOption, WATCHER_OPTIONS } from "./options.js";
import { makeWatcher, readWatcherOption, type WatcherConfig } from "./watcher-config.js";

const VARIABLES_MAX = 1_000;

/** @throws {CircusError} BAD_OPTION naming the option. */
export function readNewWatcher(name: string, given: Readonly<Record<string, unknown>>): WatcherConfig {
  const { env, copy_env, ...rest } = given;
  const at: Place = { what: `watcher ${name}` };
  return refused(() => {
    const own = env === undefined ? {} : readEnv(at, env);
    const copies = copy_env !== undefined && readOption(at, "copy_env", WATCHER_OPTIONS.copy_env, copy_env);
    const outer = Object.entries(process.env).filter((pair): pair is [string, string] => pair[1] !== undefined);
    const whole = copies ? { ...Object.fromEntries(outer), ...own } : own;
    return { ...makeWatcher(name, new Map(Object.entries(flat(rest))), whole, () => at), copy_env: copies };
  });
}

/**
 * What `set` changes, checked against what the watcher is.
 *
 * @throws {CircusError} BAD_OPTION naming the option.
 */
export function readChanges(now: WatcherConfig, given: Readonly<Record<string, unknown>>): Partial<WatcherConfig> {
  const at: Place = { what: `watcher ${now.name}` };
  return refused(() => {
    const changes: Record<string, unknown> = {};
    for (const [key, value] of Object.entries(given)) {
      if (key === "env") changes.env = keepHidden(readEnv(at, value), now.env);
      else if (key === "cmd" && value === maskText(now.cmd)) changes.cmd = now.cmd;
      else if (/^(stdout|stderr)_stream|^rlimit_/.test(key))
        throw new OptionProblem(at, key, "cannot be changed; use rm and add");
      else changes[key] = readWatcherOption(at, key, value);
    }
    const next = { ...now, ...changes } as WatcherConfig;
    if (next.singleton && next.numprocesses > 1) {
      throw new OptionProblem(at, "numprocesses", "a singleton has at most one process");
    }
    return changes as Partial<WatcherConfig>;
  });
}

/** Whoever read the environment, changed a variable and sends all of it back has seen some values as `***`: those stay. */
function keepHidden(given: Readonly<Record<string, string>>, now: WatcherConfig["env"]): Record<string, string> {
  const shown = maskVariables(now);
  return Object.fromEntries(
    Object.entries(given).map(([name, value]) => [name, value === shown[name] ? (now[name] ?? value) : value]),
  );
}

/** `{stdout_stream: {class: ...}}`, as JSON has it, becomes `stdout_stream.class`, as the file has it. */
function flat(given: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const pairs = Object.entries(given).flatMap(([key, value]) => {
    const stream = /^(stdout|stderr)_stream$/.test(key) && typeof value === "object" && value !== null;
    return stream ? Object.entries(value).map(([part, inner]) => [`${key}.${part}`, inner]) : [[key, value]];
  });
  return Object.fromEntries(pairs);
}

/** An object, or Circus's text form `A=1,B=2`. */
function readEnv(at: Place, value: unknown): Record<string, string> {
  const pairs = typeof value === "string" ? value.split(",").map(splitPair) : Object.entries(value ?? {});
  const good = pairs.every(([name, text]) => name !== "" && typeof text === "string") && typeof value !== "number";
  if (!good || pairs.length > VARIABLES_MAX) {
    throw new OptionProblem(at, "env", "accepted: an object of texts, or A=1,B=2");
  }
  return Object.fromEntries(pairs.map(([name, text]) => [name, String(text)]));
}

function splitPair(pair: string): [string, string | undefined] {
  const equals = pair.indexOf("=");
  return equals < 0 ? [pair, undefined] : [pair.slice(0, equals).trim(), pair.slice(equals + 1).trim()];
}

function refused<Value>(act: () => Value): Value {
  try {
    return act();
  } catch (error) {
    throw new CircusError("BAD_OPTION", reasonOf(error), { cause: error });
  }
}
