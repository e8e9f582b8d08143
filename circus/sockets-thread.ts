// The thread behind sockets.ts: binds and listens, says so, and sleeps until the sockets are to be closed.

import { createServer, type Server } from "node:net";
import { parentPort, workerData } from "node:worker_threads";
import type { SocketConfig } from "./config.js";
import { reasonOf } from "./errors.js";
import type { ThreadMessage } from "./sockets.js";

const { configs, awake } = workerData as { readonly configs: readonly SocketConfig[]; readonly awake: Int32Array };

/** Settles in the same turn of the event loop in which the socket began to listen: it has accepted nothing. */
function listen(config: SocketConfig): Promise<Server> {
  const server = createServer((socket) => socket.destroy());
  const { host, port, path, backlog } = config;
  return new Promise((resolve, reject) => {
    server.once("error", (error) => reject(new Error(`[socket:${config.name}] cannot be bound: ${reasonOf(error)}`)));
    server.listen(path === undefined ? { host, port, backlog } : { path, backlog }, () => resolve(server));
  });
}

function portOf(server: Server): number {
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}

async function main(): Promise<void> {
  let message: ThreadMessage;
  const servers: Server[] = [];
  try {
    // All at once: a second wait for the event loop would let the first socket accept.
    servers.push(...(await Promise.all(configs.map(listen))));
    message = { ports: servers.map(portOf) };
  } catch (error) {
    message = { problem: reasonOf(error) };
  }
  parentPort?.postMessage(message);
  if ("ports" in message) Atomics.wait(awake, 0, 0);
  for (const server of servers) server.close();
  if ("problem" in message) process.exit(); // Of this thread: sockets that were bound before the failing one close.
}

await main();
