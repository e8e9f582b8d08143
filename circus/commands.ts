// Every command of the control protocol: what it needs, what it does, what it answers. The protocol around it: control.ts.
//
//   properties (JSON) -> checked here, the only door -> Arbiter, Watcher -> the fields of the reply

import { constants } from "node:os";
import { z } from "zod";
import type { Arbiter } from "./arbiter.js";
import { CircusError } from "./errors.js";
import { globMatches } from "./glob.js";
import { InfoReader } from "./info.js";
import { signalOption } from "./options.js";
import { readChanges, readNewWatcher } from "./settings.js";
import { signalTo } from "./signals.js";
import type { Watcher } from "./watcher.js";
import type { Change } from "./watcher-status.js";

/** `now` is answered in any case; `later` is waited for when the client asked to wait, and its fields are added. */
export interface Outcome {
  readonly now?: object;
  readonly later?: () => Promise<object | undefined>;
}

type Command = (arbiter: Arbiter, properties: Readonly<Record<string, unknown>>) => Outcome;

/** Commands of Circus's that have no place here. */
export const UNSUPPORTED_COMMANDS: Readonly<Record<string, string>> = {
  listen: "subscribe to pubsub_endpoint instead; circusctl does that by itself",
  ipython: "there is no Python inside",
  reloadconfig: "use add, rm and set, or restart the manager",
};

const reader = new InfoReader();
const name = z.string().min(1).max(64);
const pid = z.union([z.number(), z.string().regex(/^\d+$/).transform(Number)]).pipe(z.number().int().positive());
const named = z.object({ name });
const maybeNamed = z.object({ name: name.optional() });
const counted = z.object({ name, nb: z.coerce.number().int().min(0).max(1_000).default(1) });
const matched = z.object({ name: name.optional(), match: z.enum(["simple", "glob", "regex"]).default("glob") });
const options = z.record(z.string().max(100), z.unknown());

/** @throws {CircusError} BAD_MESSAGE naming the property. */
function read<Shape extends z.ZodType>(shape: Shape, properties: unknown): z.output<Shape> {
  const result = shape.safeParse(properties);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const key = issue?.path.join(".") ?? "";
  const missing = issue?.code === "invalid_type" && issue.message.includes("undefined");
  throw new CircusError(
    "BAD_MESSAGE",
    `message invalid: '${key}' ${missing ? "is missing" : `is wrong: ${issue?.message}`}`,
  );
}

function find(arbiter: Arbiter, wanted: string): Watcher {
  const watcher = arbiter.watcher(wanted);
  if (watcher === undefined) throw new CircusError("NOT_FOUND", `program ${wanted} not found`);
  return watcher;
}

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

function list(arbiter: Arbiter, properties: unknown): Outcome {
  const wanted = read(maybeNamed, properties).name;
  if (wanted !== undefined) return { now: { pids: pidsOf(find(arbiter, wanted)) } };
  return { now: { watchers: names(arbiter) } };
}

function names(arbiter: Arbiter): string[] {
  return arbiter
    .inOrder()
    .map((watcher) => watcher.name)
    .sort();
}

function pidsOf(watcher: Watcher): number[] {
  return watcher.crew.members.map((child) => child.pid).sort((a, b) => a - b);
}

function numprocesses(arbiter: Arbiter, properties: unknown): Outcome {
  const wanted = read(maybeNamed, properties).name;
  if (wanted === undefined) {
    const total = arbiter.inOrder().reduce((sum, watcher) => sum + watcher.crew.members.length, 0);
    return { now: { numprocesses: total } };
  }
  return { now: { numprocesses: find(arbiter, wanted).config.numprocesses, watcher_name: wanted } };
}

function status(arbiter: Arbiter, properties: unknown): Outcome {
  const wanted = read(maybeNamed, properties).name;
  // As in Circus, with a name the field `status` is the watcher's own.
  if (wanted !== undefined) return { now: { status: find(arbiter, wanted).state } };
  return { now: { statuses: Object.fromEntries(arbiter.inOrder().map(({ name: key, state }) => [key, state])) } };
}

function resize(arbiter: Arbiter, properties: unknown, sign: 1 | -1): Outcome {
  const { name: wanted, nb } = read(counted, properties);
  const watcher = find(arbiter, wanted);
  const to = Math.max(0, watcher.config.numprocesses + sign * nb);
  const changes = readChanges(watcher.config, { numprocesses: to });
  return {
    now: { numprocesses: to },
    later: async () => void (await watcher.set(changes)),
  };
}

function set(arbiter: Arbiter, properties: unknown): Outcome {
  const { name: wanted, options: given } = read(z.object({ name, options }), properties);
  const watcher = find(arbiter, wanted);
  const changes = readChanges(watcher.config, given);
  return { later: async () => ({ info: await watcher.set(changes) }) };
}

function optionsOf(arbiter: Arbiter, properties: unknown): Outcome {
  return { now: { options: shown(find(arbiter, read(named, properties).name)) } };
}

/** Circus's names and forms: signals are numbers, streams are `stdout_stream_conf`. */
function shown(watcher: Watcher): Record<string, unknown> {
  const { name: _, rlimits, stdout_stream, stderr_stream, stop_signal, ...plain } = watcher.config;
  const limits = Object.entries(rlimits).map(([key, value]) => [`rlimit_${key}`, value ?? null]);
  return {
    ...plain,
    ...Object.fromEntries(limits),
    working_dir: plain.working_dir ?? process.cwd(),
    stop_signal: constants.signals[stop_signal],
    stdout_stream_conf: stdout_stream ?? null,
    stderr_stream_conf: stderr_stream ?? null,
  };
}

function get(arbiter: Arbiter, properties: unknown): Outcome {
  const { name: wanted, keys } = read(z.object({ name, keys: z.array(z.string()).max(100) }), properties);
  const known = shown(find(arbiter, wanted));
  const missing = keys.find((key) => !Object.hasOwn(known, key));
  if (missing !== undefined) throw new CircusError("NOT_FOUND", `'${missing}' option not found`);
  return { now: { options: Object.fromEntries(keys.map((key) => [key, known[key]])) } };
}

function globaloptions(arbiter: Arbiter, properties: unknown): Outcome {
  const { option } = read(z.object({ option: z.string().optional() }), properties);
  const { endpoint, pubsub_endpoint, check_delay } = arbiter.config;
  const known: Record<string, unknown> = { endpoint, pubsub_endpoint, check_delay, multicast_endpoint: "" };
  if (option === undefined) return { now: { options: known } };
  if (!Object.hasOwn(known, option)) throw new CircusError("NOT_FOUND", `'${option}' not an existing option`);
  return { now: { options: { [option]: known[option] } } };
}

function stats(arbiter: Arbiter, properties: unknown): Outcome {
  const asked = read(z.object({ name: name.optional(), process: pid.optional() }), properties);
  if (asked.name === undefined) {
    return { now: { infos: Object.fromEntries(arbiter.inOrder().map((watcher) => [watcher.name, infoOf(watcher)])) } };
  }
  const info = infoOf(find(arbiter, asked.name));
  if (asked.process === undefined) return { now: { name: asked.name, info } };
  const one = info[asked.process];
  if (one === undefined) throw new CircusError("NOT_FOUND", `process ${asked.process} not found in '${asked.name}'`);
  return { now: { process: asked.process, info: one } };
}

function infoOf(watcher: Watcher): Record<string, object | string> {
  const infos = watcher.crew.members.map((child) => {
    const info = reader.read(child.pid, true);
    const { wid, startedAtMs } = child;
    return [
      child.pid,
      info === undefined ? "No such process (stopped?)" : { ...info, started: startedAtMs / 1_000, wid },
    ];
  });
  return Object.fromEntries(infos);
}

function listsockets(arbiter: Arbiter): Outcome {
  const sockets = arbiter.sockets.all.map(({ fd, name: key, backlog, host, port, path }) => {
    return path === undefined ? { fd, name: key, backlog, host, port } : { fd, name: key, backlog, path };
  });
  return { now: { sockets } };
}

function reload(arbiter: Arbiter, properties: unknown): Outcome {
  // Ours is always sequential; the property is accepted because circusctl sends it.
  const { name: wanted, graceful } = read(
    z.object({ name: name.optional(), graceful: z.boolean().default(true) }),
    properties,
  );
  const watchers = wanted === undefined ? running(arbiter) : [find(arbiter, wanted)];
  return { later: () => each(watchers, (watcher) => (graceful ? watcher.reload() : watcher.restart())) };
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
  list,
  numprocesses,
  numwatchers: (arbiter) => ({ now: { numwatchers: arbiter.inOrder().length } }),
  incr: (arbiter, properties) => resize(arbiter, properties, 1),
  decr: (arbiter, properties) => resize(arbiter, properties, -1),
  status,
  stats,
  dstats: () => ({ now: { info: reader.read(process.pid, true) } }),
  options: optionsOf,
  get,
  globaloptions,
  listsockets,
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
