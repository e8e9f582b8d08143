// in-listen: the edge's own listening socket, for development and tests. Under a keeper nobody needs it.

import { createServer, type Server } from "node:net";
import type { Clients, Giver } from "./in-clients.js";

export interface ListenOptions {
  readonly name: string;
  readonly host: string;
  readonly port: number;
}

/** Nobody keeps duplicates of these sockets, so nobody needs to hear of them. */
export const NOBODY: Giver = { met: () => {}, stated: () => {}, gone: () => {} };

/** Resolves once it listens. @throws {Error} EADDRINUSE and friends, with the address. */
export function listen(options: ListenOptions, clients: Clients): Promise<Server> {
  let nextId = 1;
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    const origin = { door: options.name, address: socket.remoteAddress ?? "unknown", port: socket.remotePort ?? 0 };
    clients.take(socket, { id: nextId++, origin, adopted: false });
  });
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(options.port, options.host, () => {
      server.off("error", reject);
      resolve(server);
    });
  });
}
