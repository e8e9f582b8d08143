// probe: whether somebody accepts connections at an address.

import { connect } from "node:net";
import type { KeeperAddress } from "./settings.js";

const PROBE_MS = 1_000;

/** False when it refuses, is not there, or stays silent for a second. The keeper notices a client that leaves at once. */
export function accepts(at: KeeperAddress["at"]): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect("path" in at ? { path: at.path } : { host: at.host, port: at.port });
    const settle = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.once("connect", () => settle(true));
    socket.once("error", () => settle(false));
    socket.setTimeout(PROBE_MS, () => settle(false));
  });
}
