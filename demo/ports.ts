// Free TCP ports on loopback. Between asking and using, another process may take one: whoever starts a server on it finds out.

import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";

/** Different ports that nobody listens on. */
export async function freePorts<const N extends number>(count: N): Promise<Tuple<N>> {
  // All are held at the same time, so that none is handed out twice.
  const servers = await Promise.all(Array.from({ length: count }, () => listen(0)));
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports as Tuple<N>;
}

/** `preferred`, or a free port when somebody has it. */
export async function portOrFree(preferred: number): Promise<number> {
  try {
    const server = await listen(preferred);
    await new Promise((resolve) => server.close(resolve));
    return preferred;
  } catch {
    const [port] = await freePorts(1);
    return port;
  }
}

async function listen(port: number) {
  const server = createServer().listen(port, "127.0.0.1");
  await once(server, "listening");
  return server;
}

type Tuple<N extends number, Ports extends number[] = []> = Ports["length"] extends N
  ? Ports
  : Tuple<N, [...Ports, number]>;
