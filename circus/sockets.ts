// [socket:x]: listening sockets that outlive the processes which accept on them.
//
//   Sockets.open -> a worker thread binds, listens, then sleeps -> fds -> execa's stdio -> children accept on fd 3, 4, ...
//
// While a child is replaced, the kernel keeps new connections in the backlog: nobody is refused. The difficulty is that a
// `net.Server` of Node's accepts by itself, and would take connections that are meant for the children. Accepting is the
// work of the event loop of the thread which listens, so that thread is put to sleep in the same turn of its loop: from then
// on its sockets listen and nobody in this process accepts. File descriptors belong to the whole process, so the
// main thread may hand them on. All of it is documented Node and Linux; no private handle is touched.
//
//   T1. A connection made while no child runs waits for the next one.
//   T2. A child finds the sockets in the order of their names: the first is fd 3. $(circus.sockets.NAME) says the number.

import { lookup } from "node:dns/promises";
import { readdirSync, readFileSync, readlinkSync, rmSync } from "node:fs";
import { isIP } from "node:net";
import { Worker } from "node:worker_threads";
import type { SocketConfig } from "./config.js";
import { CircusError, reasonOf } from "./errors.js";

/** First free file descriptor after stdin, stdout and stderr. */
const FIRST_FD = 3;

export interface ListeningSocket extends SocketConfig {
  /** In this process. */
  readonly fd: number;
  /** In a child with use_sockets. */
  readonly childFd: number;
}

export interface Sockets {
  readonly all: readonly ListeningSocket[];
  /** Closes the sockets and removes the files of unix ones. Safe twice. */
  close(): Promise<void>;
}

export const NO_SOCKETS: Sockets = { all: [], close: async () => undefined };

/** @throws {CircusError} OS naming the socket that could not be bound. */
export async function openSockets(configs: readonly SocketConfig[]): Promise<Sockets> {
  if (configs.length === 0) return NO_SOCKETS;
  for (const config of configs) if (config.path !== undefined && config.replace) rmSync(config.path, { force: true });
  const awake = new Int32Array(new SharedArrayBuffer(4));
  const resolved = await Promise.all(configs.map(withAddress));
  const worker = new Worker(new URL("./sockets-thread.js", import.meta.url), {
    workerData: { configs: resolved, awake },
  });
  const gone = new Promise<void>((resolve) => worker.once("exit", () => resolve()));
  const close = async (): Promise<void> => {
    Atomics.store(awake, 0, 1);
    Atomics.notify(awake, 0);
    await gone;
  };
  try {
    const ports = await bound(worker);
    return { all: configs.map((config, i) => found(config, ports[i] ?? 0, i)), close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Names are resolved here: in the thread, waiting for an answer would let the sockets that listen already accept. */
async function withAddress(config: SocketConfig): Promise<SocketConfig> {
  if (config.path !== undefined || isIP(config.host) !== 0) return config;
  try {
    return { ...config, host: (await lookup(config.host)).address };
  } catch (error) {
    throw new CircusError("OS", `[socket:${config.name}] host ${config.host}: ${reasonOf(error)}`, { cause: error });
  }
}

/** What the thread says, once: the bound ports, in order, or why it could not. */
export type ThreadMessage = { readonly ports: readonly number[] } | { readonly problem: string };

function bound(worker: Worker): Promise<readonly number[]> {
  return new Promise((resolve, reject) => {
    worker.once("message", (message: ThreadMessage) => {
      if ("ports" in message) resolve(message.ports);
      else reject(new CircusError("OS", message.problem));
    });
    worker.once("error", (error) => reject(new CircusError("OS", "the thread of the sockets ended", { cause: error })));
  });
}

function found(config: SocketConfig, port: number, index: number): ListeningSocket {
  const inode = config.path === undefined ? inodeOfPort(port) : inodeOfPath(config.path);
  const fd = inode === undefined ? undefined : fdOfInode(inode);
  if (fd === undefined) {
    throw new CircusError("OS", `[socket:${config.name}] is bound, but /proc/self does not show its descriptor`);
  }
  return { ...config, port, fd, childFd: FIRST_FD + index };
}

/** State 0A is LISTEN. Columns: sl local_address rem_address st tx:rx tr:tm retrnsmt uid timeout inode. */
function inodeOfPort(port: number): string | undefined {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  const rows = [...rowsOf("/proc/self/net/tcp"), ...rowsOf("/proc/self/net/tcp6")];
  const inodes = rows.filter((row) => row[1]?.endsWith(suffix) && row[3] === "0A").map((row) => row[9] ?? "");
  // The same port may be in use on another address by another process: ours is the one that we have open.
  return inodes.find((inode) => fdOfInode(inode) !== undefined);
}

/** Columns: Num RefCount Protocol Flags Type St Inode Path. */
function inodeOfPath(path: string): string | undefined {
  return rowsOf("/proc/self/net/unix").find(
    (row) => row.slice(7).join(" ") === path && fdOfInode(row[6] ?? "") !== undefined,
  )?.[6];
}

function rowsOf(file: string): string[][] {
  return readFileSync(file, "utf8")
    .split("\n")
    .slice(1)
    .map((line) => line.trim().split(/\s+/));
}

function fdOfInode(inode: string): number | undefined {
  const name = readdirSync("/proc/self/fd").find((fd) => linkOf(fd) === `socket:[${inode}]`);
  return name === undefined ? undefined : Number(name);
}

function linkOf(fd: string): string | undefined {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    return undefined; // The descriptor by which the directory was read.
  }
}
