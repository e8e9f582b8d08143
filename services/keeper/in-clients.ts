// The keeper's doors: listening sockets whose clients are accepted paused, so that not one byte is read here.
//
//   HAProxy --unix socket--> open door --(socket, origin)--> Keeper
//
//   D1. A unix socket file left behind by a killed keeper is replaced; one that answers belongs to a living process and is not.
//   D2. A unix socket has its mode from its first moment on: no window in which others may connect.

import { unlinkSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import type { Origin } from "../../lib/contracts/index.js";

export interface Door {
  readonly name: string;
  readonly at: { readonly path: string; readonly mode: number } | { readonly host: string; readonly port: number };
}

/** sun_path holds 108 bytes, the last one a zero: longer paths would be cut silently. */
export const UNIX_PATH_BYTES_MAX = 107;
const PROBE_MS = 1_000;
/** Of connections that the kernel holds for us; it cuts this to net.core.somaxconn. */
const BACKLOG = 4_096;

/**
 * Reads `[NAME=]unix:/path` or `[NAME=]HOST:PORT`.
 * @throws {Error} that says what is wrong with the text.
 */
export function parseDoor(text: string, mode: number): Door {
  const [, name = "default", place = ""] = /^(?:([a-z0-9-]{1,32})=)?(.*)$/s.exec(text) ?? [];
  if (place.startsWith("unix:")) {
    const path = place.slice("unix:".length);
    const length = Buffer.byteLength(path);
    if (!path.startsWith("/")) throw new Error(`--listen ${text}: the socket's path must be absolute`);
    if (length > UNIX_PATH_BYTES_MAX) {
      throw new Error(
        `--listen ${text}: the path has ${length} bytes and a unix socket's may have ${UNIX_PATH_BYTES_MAX}; use a shorter directory`,
      );
    }
    return { name, at: { path, mode } };
  }
  const [, bracketed, plain, port] = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(place) ?? [];
  const host = bracketed ?? plain;
  if (host === undefined || Number(port) > 65_535) {
    throw new Error(`--listen ${text}: expected [NAME=]unix:/path or [NAME=]HOST:PORT`);
  }
  return { name, at: { host, port: Number(port) } };
}

/** `unix:/path` or `HOST:PORT`, as parseDoor reads it. */
export function placeOf({ at }: Door): string {
  if ("path" in at) return `unix:${at.path}`;
  return `${at.host.includes(":") ? `[${at.host}]` : at.host}:${at.port}`;
}

/** Resolves once the door is open. @throws {Error} EADDRINUSE and friends, in words. */
export async function openDoor(door: Door, accept: (socket: Socket, origin: Origin) => void): Promise<Server> {
  const server = createServer({ pauseOnConnect: true, allowHalfOpen: true }, (socket) =>
    accept(socket, origin(door, socket)),
  );
  try {
    await listen(server, door);
  } catch (error) {
    if (!("path" in door.at) || (error as NodeJS.ErrnoException).code !== "EADDRINUSE") throw error;
    if (await answers(door.at.path)) {
      throw new Error(`${door.at.path} is in use: another process listens there; stop it or choose another path`);
    }
    unlinkSync(door.at.path); // D1
    await listen(server, door);
  }
  return server;
}

function origin(door: Door, socket: Socket): Origin {
  if ("path" in door.at) return { door: door.name, address: "unix", port: 0 };
  return { door: door.name, address: socket.remoteAddress ?? "unknown", port: socket.remotePort ?? 0 };
}

function listen(server: Server, door: Door): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    const listening = () => {
      server.off("error", reject);
      resolve();
    };
    if (!("path" in door.at)) {
      server.listen({ ...door.at, backlog: BACKLOG }, listening);
      return;
    }
    const before = process.umask(0o777 & ~door.at.mode); // D2: listen() binds before it returns.
    try {
      server.listen({ path: door.at.path, backlog: BACKLOG }, listening);
    } finally {
      process.umask(before);
    }
  });
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(path);
    const settle = (alive: boolean) => {
      probe.destroy();
      resolve(alive);
    };
    probe.once("connect", () => settle(true));
    probe.once("error", () => settle(false));
    probe.setTimeout(PROBE_MS, () => settle(true)); // A full backlog does not answer either, and is somebody's.
  });
}
