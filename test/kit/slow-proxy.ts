// slow-proxy: a TCP proxy that lets every byte through, later.
//
//   const proxy = await startSlowProxy(redis.port);
//   proxy.delayMs = 300;              // in each direction, from the next byte on
//   proxy.url                         // redis://127.0.0.1:PORT

import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { atEnd } from "./cleanup.js";

export interface SlowProxy {
  readonly port: number;
  readonly url: string;
  /** Default 0. */
  delayMs: number;
  /** Breaks every connection; new ones are taken. */
  cut(): void;
}

/** Gone with the test. */
export async function startSlowProxy(targetPort: number): Promise<SlowProxy> {
  const sockets = new Set<Socket>();
  const server = createServer({ noDelay: true }, (near) => {
    const far = connect({ port: targetPort, host: "127.0.0.1", noDelay: true });
    pass(near, far);
    pass(far, near);
  });
  /** Order is kept also when the delay shrinks: what came first is due first. */
  const pass = (from: Socket, to: Socket) => {
    let dueMs = 0;
    sockets.add(from);
    from.on("data", (bytes) => {
      dueMs = Math.max(dueMs, performance.now() + proxy.delayMs);
      const wait = dueMs - performance.now();
      if (wait <= 0) to.write(bytes);
      else setTimeout(() => to.write(bytes), wait).unref();
    });
    from.on("error", () => {});
    from.on("close", () => {
      sockets.delete(from);
      to.destroy();
    });
  };
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const cut = () => {
    for (const socket of sockets) socket.destroy();
  };
  atEnd(() => {
    cut();
    server.close();
  });
  const proxy: SlowProxy = { port, url: `redis://127.0.0.1:${port}`, delayMs: 0, cut };
  return proxy;
}
