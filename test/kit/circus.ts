// circus: a process manager of a test's own, with real child processes; it and they end with the test.

import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { Dealer, Subscriber } from "zeromq";
import { Arbiter, type ArbiterOptions, buildConfig, type CircusEvent, parseIni } from "../../circus/index.js";
import { groupMembers, readStat } from "../../circus/proc.js";
import { atEnd } from "./cleanup.js";

/** Short, because unix sockets lie in it; gone with the test. */
export function temporaryDirectory(): string {
  const directory = mkdtempSync(path.join(tmpdir(), "circus-"));
  atEnd(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

export interface TestArbiter {
  readonly arbiter: Arbiter;
  /** Everything since before the first watcher started. */
  readonly events: readonly CircusEvent[];
  readonly run: string;
  /** Live pids of a watcher, oldest first. */
  pids(watcher: string): readonly number[];
}

/** Children get PATH and what `ini` says; $(circus.env.RUN) is the run directory. */
export async function startArbiter(
  ini: string,
  options: ArbiterOptions = {},
  run = temporaryDirectory(),
): Promise<TestArbiter> {
  const events: CircusEvent[] = [];
  const env = { PATH: process.env.PATH, RUN: run };
  const config = buildConfig(parseIni(ini, "test.ini"), { env, runDirectory: run });
  const onOpen = (opened: Arbiter): void => {
    atEnd(() => opened.close());
    opened.on("event", (event) => events.push(event));
    options.onOpen?.(opened);
  };
  const arbiter = await Arbiter.open(config, { ...options, onOpen });
  const pids = (watcher: string) => arbiter.watcher(watcher)?.crew.members.map((child) => child.pid) ?? [];
  return { arbiter, events, run, pids };
}

/** True while the process runs; a zombie does not. */
export function alive(pid: number): boolean {
  const stat = readStat(pid);
  return stat !== undefined && stat.state !== "Z";
}

export function groupAlive(group: number): boolean {
  return groupMembers(group).length > 0;
}

export type Json = Readonly<Record<string, unknown>>;

/** Speaks the raw protocol: sends `frame` as it is, returns the reply's JSON, or undefined when none comes within `ms`. */
export async function rawCall(endpoint: string, frame: string | Json, ms = 3_000): Promise<Json | undefined> {
  const socket = new Dealer({ linger: 0, receiveTimeout: ms, sendTimeout: ms });
  try {
    socket.connect(endpoint);
    await socket.send(typeof frame === "string" ? frame : JSON.stringify(frame));
    const [reply] = await socket.receive();
    return JSON.parse(String(reply)) as Json;
  } catch {
    return undefined;
  } finally {
    socket.close();
  }
}

/** Collects [topic, body] from a PUB endpoint until the test ends. */
export function subscribe(endpoint: string, prefix: string): readonly (readonly [string, Json])[] {
  const socket = new Subscriber({ linger: 0 });
  socket.connect(endpoint);
  socket.subscribe(prefix);
  const seen: [string, Json][] = [];
  const read = (async () => {
    for await (const [topic, body] of socket) seen.push([String(topic), JSON.parse(String(body)) as Json]);
  })();
  atEnd(async () => {
    socket.close();
    await read.catch(() => undefined);
  });
  return seen;
}

export function exists(file: string): boolean {
  return existsSync(file);
}
