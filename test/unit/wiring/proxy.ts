// A TCP proxy between two processes of a test: it can cut its connections, or swallow what comes, as a broken network would.

import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { atEnd } from "../../kit/cleanup.js";

export interface Proxy {
  /** `tcp://127.0.0.1:40123` */
  readonly endpoint: string;
  /** Breaks every connection; new ones are taken. */
  cut(): void;
  /** From now on (or no longer) nothing passes in either direction; the connections stay. What came meanwhile passes later. */
  hold(held: boolean): void;
}

/** @param target `tcp://host:port` */
export async function startProxy(target: string): Promise<Proxy> {
  const { hostname, port } = new URL(target);
  const sockets = new Set<Socket>();
  let held = false;
  const join = (from: Socket, to: Socket) => {
    sockets.add(from);
    if (held) from.pause();
    from.on("data", (chunk) => to.write(chunk));
    from.on("error", () => {});
    from.on("close", () => {
      sockets.delete(from);
      to.destroy();
    });
  };
  const server = createServer((near) => {
    const far = connect(Number(port), hostname);
    join(near, far);
    join(far, near);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const cut = () => {
    for (const socket of sockets) socket.destroy();
  };
  atEnd(() => {
    cut();
    server.close();
  });
  return {
    endpoint: `tcp://127.0.0.1:${(server.address() as AddressInfo).port}`,
    cut,
    hold(now) {
      held = now;
      for (const socket of sockets) held ? socket.pause() : socket.resume();
    },
  };
}
