// The keeper's doors: listening sockets whose clients are accepted paused, so that not one byte is read here.
//
//   HAProxy --unix socket--> open door --(socket, origin)--> Keeper
//
//   D1. A unix socket file left behind by a killed keeper is replaced; one that answers belongs to a living process and is not.
//   D2. A unix socket has its mode from its first moment on: no window in which others may connect.
//   D3. A unix socket is bound under a name of its own and then renamed: closing it removes that first name, which is gone, and
//       not the place where a successor listens. Only `shut` clears the place.

import { renameSync, rmSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import { dirname } from "node:path";
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

/** A door that is open. */
export interface OpenDoor {
  readonly door: Door;
  readonly server: Server;
  /** Takes nobody any more; where it was, another process may listen. */
  leave(): void;
  /** Takes nobody any more, and leaves nothing behind. */
  shut(): void;
}

export type Accept = (socket: Socket, origin: Origin) => void;

/** Resolves once the door is open. @throws {Error} EADDRINUSE and friends, in words. */
export async function openDoor(door: Door, accept: Accept): Promise<OpenDoor> {
  const server = createServer({ pauseOnConnect: true, allowHalfOpen: true }, (socket) =>
    accept(socket, origin(door, socket)),
  );
  if (!("path" in door.at)) {
    const { host, port } = door.at;
    await listening(server, () => server.listen({ host, port, backlog: BACKLOG }));
    return openedDoor(door, server);
  }
  const { path, mode } = door.at;
  if (await answers(path)) {
    throw new Error(`${path} is in use: another process listens there; stop it or choose another path`);
  }
  const first = `${dirname(path)}/.${process.pid}`;
  rmSync(first, { force: true });
  await listening(server, () => {
    const before = process.umask(0o777 & ~mode); // D2: listen() binds before it returns.
    try {
      server.listen({ path: first, backlog: BACKLOG });
    } finally {
      process.umask(before);
    }
  });
  renameSync(first, path); // D1, D3
  return openedDoor(door, server);
}

/** A door that another keeper opened, and shares with this one from now on. */
export function takeDoor(door: Door, server: Server, accept: Accept): OpenDoor {
  server.on("connection", (socket) => {
    stopReading(socket);
    accept(socket, origin(door, socket));
  });
  return openedDoor(door, server);
}

/**
 * A socket that did not come in by a door of our own starts reading by itself, and no public way stops it before the first bytes
 * are taken; the handle's own does, in the same tick.
 *
 * @throws {Error} when this Node has no such thing: then nothing may be taken over with it.
 */
export function stopReading(socket: Socket): void {
  const { _handle: handle } = socket as unknown as { _handle?: { reading?: boolean; readStop?: () => void } };
  if (typeof handle?.readStop !== "function") {
    throw new Error(`Node ${process.version} cannot hold a socket without reading it`);
  }
  handle.reading = false;
  handle.readStop();
  socket.pause();
}

function openedDoor(door: Door, server: Server): OpenDoor {
  return {
    door,
    server,
    leave: () => void server.close(),
    shut: () => {
      server.close();
      if ("path" in door.at) rmSync(door.at.path, { force: true });
    },
  };
}

function origin(door: Door, socket: Socket): Origin {
  if ("path" in door.at) return { door: door.name, address: "unix", port: 0 };
  return { door: door.name, address: socket.remoteAddress ?? "unknown", port: socket.remotePort ?? 0 };
}

function listening(server: Server, listen: () => void): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.once("listening", () => {
      server.off("error", reject);
      resolve();
    });
    listen();
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
