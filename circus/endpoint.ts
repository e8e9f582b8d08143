// ZeroMQ endpoints of the manager: bound so that only their owner may speak.
//
//   N1. The file of an ipc:// endpoint has mode 600 from its first moment: the protocol has no authentication, and whoever
//       may connect may run commands as the manager.
//   N2. close() removes the file.

import { chmodSync, chownSync, mkdirSync, rmSync } from "node:fs";
import path from "node:path";
import { Publisher, Router, type Socket } from "zeromq";
import { CircusError, reasonOf } from "./errors.js";
import { userId } from "./proc.js";

/** A unix socket's path has 108 bytes in Linux, one of them the final zero. */
const IPC_PATH_MAX = 107;
/** A command with a large `options` is a few kB. */
const MESSAGE_BYTES_MAX = 1_048_576;

export interface Binding<Kind extends Socket> {
  readonly socket: Kind;
  close(): void;
}

export async function bindPublisher(endpoint: string, owner: string | undefined): Promise<Binding<Publisher>> {
  return bind(new Publisher({ linger: 0 }), endpoint, owner);
}

export async function bindRouter(endpoint: string, owner: string | undefined): Promise<Binding<Router>> {
  // sendTimeout 0: a client that left must not hold the loop that answers the others.
  return bind(new Router({ linger: 0, sendTimeout: 0, maxMessageSize: MESSAGE_BYTES_MAX }), endpoint, owner);
}

/** The file of an ipc endpoint; undefined for others. */
export function ipcPath(endpoint: string): string | undefined {
  return endpoint.startsWith("ipc://") ? endpoint.slice("ipc://".length) : undefined;
}

async function bind<Kind extends Publisher | Router>(
  socket: Kind,
  endpoint: string,
  owner: string | undefined,
): Promise<Binding<Kind>> {
  const file = ipcPath(endpoint);
  const close = (): void => {
    if (!socket.closed) socket.close();
    if (file !== undefined) rmSync(file, { force: true });
  };
  try {
    if (file === undefined) await socket.bind(endpoint);
    else await bindFile(socket, endpoint, file, owner);
    return { socket, close };
  } catch (error) {
    if (!socket.closed) socket.close();
    if (error instanceof CircusError) throw error;
    throw new CircusError("OS", `cannot bind ${endpoint}: ${reasonOf(error)}`, { cause: error });
  }
}

async function bindFile(
  socket: Publisher | Router,
  endpoint: string,
  file: string,
  owner: string | undefined,
): Promise<void> {
  if (Buffer.byteLength(file) > IPC_PATH_MAX) {
    throw new CircusError(
      "BAD_OPTION",
      `${endpoint}: a unix socket's path has at most ${IPC_PATH_MAX} bytes; shorten it`,
    );
  }
  const id = owner === undefined ? undefined : userId(owner);
  if (owner !== undefined && id === undefined) {
    throw new CircusError("BAD_OPTION", `endpoint_owner = ${owner}: no such user`);
  }
  mkdirSync(path.dirname(path.resolve(file)), { recursive: true, mode: 0o700 });
  const before = process.umask(0o177); // N1: chmod afterwards would leave a moment.
  try {
    await socket.bind(endpoint);
  } finally {
    process.umask(before);
  }
  chmodSync(file, 0o600);
  if (id !== undefined) chownSync(file, id, -1);
}
