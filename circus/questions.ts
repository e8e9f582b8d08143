// Commands that only ask: list, status, options, stats and their like. Those that change something: commands.ts.

import { constants } from "node:os";
import { z } from "zod";
import { maskText, maskVariables } from "../lib/core/secrets.js";
import type { Arbiter } from "./arbiter.js";
import { CircusError } from "./errors.js";
import { InfoReader } from "./info.js";
import { type Command, find, maybeNamed, name, named, type Outcome, pid, read } from "./properties.js";
import type { Watcher } from "./watcher.js";

const reader = new InfoReader();

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

/** Ours: the last lines that each process said. */
function tail(arbiter: Arbiter, properties: unknown): Outcome {
  const watcher = find(arbiter, read(named, properties).name);
  return { now: { lines: Object.fromEntries(watcher.crew.members.map((child) => [child.pid, child.tail.lines])) } };
}

function optionsOf(arbiter: Arbiter, properties: unknown): Outcome {
  return { now: { options: shown(find(arbiter, read(named, properties).name)) } };
}

/** Circus's names and forms: signals are numbers, streams are `stdout_stream_conf`. Secrets are hidden (secrets.ts). */
function shown(watcher: Watcher): Record<string, unknown> {
  const { name: _, rlimits, stdout_stream, stderr_stream, stop_signal, ...plain } = watcher.config;
  const limits = Object.entries(rlimits).map(([key, value]) => [`rlimit_${key}`, value ?? null]);
  return {
    ...plain,
    ...Object.fromEntries(limits),
    cmd: maskText(plain.cmd),
    args: plain.args.map(maskText),
    env: maskVariables(plain.env),
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

export const QUESTIONS: Readonly<Record<string, Command>> = {
  list,
  numprocesses,
  numwatchers: (arbiter) => ({ now: { numwatchers: arbiter.inOrder().length } }),
  status,
  stats,
  dstats: () => ({ now: { info: reader.read(process.pid, true) } }),
  options: optionsOf,
  get,
  globaloptions,
  listsockets,
  tail,
};
