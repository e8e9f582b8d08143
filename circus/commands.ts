// The commands of the control protocol: the table of all, and those that change something (questions.ts has the others): what each
// needs, what it does, what it answers. The protocol around it: control.ts.
//
//   properties (JSON) -> checked here, the only door -> Arbiter, Watcher -> the fields of the reply

import { z } from "zod";
import type { Arbiter } from "./arbiter.js";
import { CircusError } from "./errors.js";
import { globMatches } from "./glob.js";
import { signalOption } from "./options.js";
import { type Command, find, name, named, type Outcome, pid, read } from "./properties.js";
import { QUESTIONS } from "./questions.js";
import { readChanges, readNewWatcher } from "./settings.js";
import { signalTo } from "./signals.js";
import type { Watcher } from "./watcher.js";
import type { Change } from "./watcher-status.js";

/** Commands of Circus's that have no place here. */
export const UNSUPPORTED_COMMANDS: Readonly<Record<string, string>> = {
  listen: "subscribe to pubsub_endpoint instead; circusctl does that by itself",
  ipython: "there is no Python inside",
  reloadconfig: "use add, rm and set, or restart the manager",
};

const counted = z.object({ name, nb: z.coerce.number().int().min(0).max(1_000).default(1) });
const matched = z.object({ name: name.optional(), match: z.enum(["simple", "glob", "regex"]).default("glob") });
const options = z.record(z.string().max(100), z.unknown());

function findAll(arbiter: Arbiter, { name: wanted, match }: z.output<typeof matched>): readonly Watcher[] {
  if (wanted === undefined) return arbiter.inOrder();
  if (match === "simple") return [find(arbiter, wanted)];
  const found = arbiter.inOrder().filter(matcher(wanted.toLowerCase(), match));
  if (found.length === 0) throw new CircusError("NOT_FOUND", `program ${wanted} not found`);
  return found;
}

function matcher(wanted: string, match: "glob" | "regex"): (watcher: Watcher) => boolean {
  if (match === "glob") return (watcher) => globMatches(wanted, watcher.name.toLowerCase());
  try {
    const pattern = new RegExp(`^(?:${wanted})`); // Python's match() is anchored at the beginning only.
    return (watcher) => pattern.test(watcher.name.toLowerCase());
  } catch {
    throw new CircusError("BAD_MESSAGE", `message invalid: 'name' is no regular expression: ${wanted}`);
  }
}

/** One watcher after the other, so that order and readiness hold across them. */
async function each(watchers: readonly Watcher[], act: (watcher: Watcher) => Promise<Change>): Promise<object> {
  const changes: Change[] = [];
  for (const watcher of watchers) changes.push(await act(watcher));
  return summed(changes);
}

function summed(changes: readonly Change[]): object {
  const all = (key: keyof Change): number[] => changes.flatMap((change) => change[key]);
  return { info: { stopped: all("stopped"), started: all("started"), kept: all("kept") } };
}

function resize(arbiter: Arbiter, properties: unknown, sign: 1 | -1): Outcome {
  const { name: wanted, nb } = read(counted, properties);
  const watcher = find(arbiter, wanted);
  if (sign < 0) refuseSingleton(watcher);
  const to = Math.max(0, watcher.config.numprocesses + sign * nb);
  const changes = readChanges(watcher.config, { numprocesses: to });
  return {
    now: { numprocesses: to },
    later: async () => void (await watcher.set(changes)),
  };
}

/** Its one process is all there is: for the keeper that means every client. Whoever means it says `stop`. */
function refuseSingleton({ name, config }: Watcher): void {
  if (config.singleton)
    throw new CircusError("REFUSED", `${name} is a singleton, one process is all it has; to end it, stop it`);
}

/** With `pid` (ours) that process goes, instead of the oldest. */
function decr(arbiter: Arbiter, properties: unknown): Outcome {
  const { name: wanted, pid: one } = read(z.object({ name, pid: pid.optional() }), properties);
  if (one === undefined) return resize(arbiter, properties, -1);
  const watcher = find(arbiter, wanted);
  refuseSingleton(watcher);
  if (!watcher.crew.serving.some((child) => child.pid === one)) {
    throw new CircusError("NOT_FOUND", `process ${one} not found in '${watcher.name}'`);
  }
  return {
    now: { numprocesses: Math.max(0, watcher.config.numprocesses - 1) },
    later: async () => ({ info: await watcher.retire(one) }),
  };
}

function set(arbiter: Arbiter, properties: unknown): Outcome {
  const { name: wanted, options: given } = read(z.object({ name, options }), properties);
  const watcher = find(arbiter, wanted);
  const changes = readChanges(watcher.config, given);
  return { later: async () => ({ info: await watcher.set(changes) }) };
}

function reload(arbiter: Arbiter, properties: unknown): Outcome {
  // Ours is always sequential; `graceful` is accepted because circusctl sends it. `pid` and `options` (as of `set`) are ours.
  const shape = z.object({
    ...{ name: name.optional(), graceful: z.boolean().default(true) },
    ...{ pid: pid.optional(), options: options.optional() },
  });
  const { name: wanted, graceful, pid: one, options: given } = read(shape, properties);
  if (wanted === undefined && (one !== undefined || given !== undefined)) {
    throw new CircusError("BAD_MESSAGE", "message invalid: pid and options need a name");
  }
  const watchers = wanted === undefined ? running(arbiter) : [find(arbiter, wanted)];
  const reloadOne = (watcher: Watcher) => {
    return watcher.reload({ pid: one, ...(given && { changes: readChanges(watcher.config, given) }) });
  };
  return { later: () => each(watchers, (watcher) => (graceful ? reloadOne(watcher) : watcher.restart())) };
}

function running(arbiter: Arbiter): readonly Watcher[] {
  return arbiter.inOrder().filter((watcher) => watcher.state === "active");
}

function kill(arbiter: Arbiter, properties: unknown): Outcome {
  const shape = z.object({
    name,
    pid: pid.optional(),
    signum: signalOption.schema.optional(),
    graceful_timeout: z.coerce.number().min(0).max(86_400).optional(),
  });
  const { name: wanted, pid: one, signum, graceful_timeout } = read(shape, properties);
  const watcher = find(arbiter, wanted);
  const gracefulMs = graceful_timeout === undefined ? undefined : graceful_timeout * 1_000;
  return { later: async () => ({ info: await watcher.kill(one, signum, gracefulMs) }) };
}

function signal(arbiter: Arbiter, properties: unknown): Outcome {
  const flag = z.boolean().default(false);
  const child = pid.optional();
  const shape = z.object({
    ...{ name, signum: signalOption.schema, pid: child, childpid: child, child_pid: child },
    ...{ children: flag, recursive: flag },
  });
  const { childpid, child_pid, ...asked } = read(shape, properties);
  signalTo(find(arbiter, asked.name), { ...asked, childPid: childpid ?? child_pid });
  return {};
}

function add(arbiter: Arbiter, properties: unknown): Outcome {
  const shape = z.object({
    ...{ name, cmd: z.string(), args: z.unknown().optional() },
    ...{ options: options.default({}), start: z.boolean().default(false) },
  });
  const { name: wanted, cmd, args, options: given, start } = read(shape, properties);
  const watcher = arbiter.add(readNewWatcher(wanted, { ...given, cmd, ...(args == null ? {} : { args }) }));
  return start ? { later: async () => ({ info: await watcher.start() }) } : {};
}

function rm(arbiter: Arbiter, properties: unknown): Outcome {
  const watcher = find(arbiter, read(named, properties).name);
  return { later: async () => void (await arbiter.remove(watcher)) };
}

export const COMMANDS: Readonly<Record<string, Command>> = {
  ...QUESTIONS,
  incr: (arbiter, properties) => resize(arbiter, properties, 1),
  decr,
  start: (arbiter, properties) => {
    const watchers = findAll(arbiter, read(matched, properties));
    return { later: () => each(watchers, (watcher) => watcher.start()) };
  },
  stop: (arbiter, properties) => {
    const watchers = [...findAll(arbiter, read(matched, properties))].reverse();
    return { later: () => each(watchers, (watcher) => watcher.stop()) };
  },
  restart: (arbiter, properties) => {
    const watchers = findAll(arbiter, read(matched, properties));
    return { later: () => each(watchers, (watcher) => watcher.restart()) };
  },
  reload,
  signal,
  kill,
  set,
  add,
  rm,
  // With `waiting` the answer comes when the last process is gone; the endpoint itself closes after it.
  quit: (arbiter) => ({ later: async () => summed(await arbiter.stopAll()) }),
};
