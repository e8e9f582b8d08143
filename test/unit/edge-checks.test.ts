// HAProxy's health checks, as the edge sees them: a PROXY header that says LOCAL, and nothing more.

import { once } from "node:events";
import { type AddressInfo, connect, createServer } from "node:net";
import { expect, test } from "@jest/globals";
import { quiet } from "../../lib/wiring/index.js";
import { Clients } from "../../services/edge/in-clients.js";
import { settings } from "../../services/edge/settings.js";
import type { Switchboard } from "../../services/edge/switchboard.js";
import { atEnd } from "../kit/cleanup.js";
import { until } from "../kit/until.js";

const SIGNATURE = Buffer.from("0d0a0d0a000d0a515549540a", "hex");
const LOCAL = Buffer.concat([SIGNATURE, Buffer.from("20000000", "hex")]);
const PROXIED = Buffer.from("PROXY TCP4 203.0.113.7 127.0.0.1 54321 3333\r\n");

/** STAND-IN: takes every connection and no lines. */
const board = {
  open: () => ({ closed: false, lines: [], waiting: false }),
  hasRoom: () => true,
  close: () => {},
} as unknown as Switchboard;

test("a health check is counted neither as a client that came nor as one that left; a client is, once", async () => {
  const counted: string[] = [];
  let gone = 0;
  const clients = new Clients(
    board,
    settings.parse({ trustedProxies: ["127.0.0.1/32"] }),
    (name, by = 1) => void (by > 0 && counted.push(name)),
    { met: () => {}, stated: () => {}, gone: () => gone++ },
    quiet,
  );
  let id = 0;
  const origin = { address: "127.0.0.1", port: 1, door: "d" };
  const server = createServer({ allowHalfOpen: true }, (socket) =>
    clients.take(socket, { id: ++id, origin, adopted: false }),
  );
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  atEnd(() => server.close());
  for (const header of [LOCAL, PROXIED, LOCAL]) {
    const before = gone;
    const socket = connect((server.address() as AddressInfo).port, "127.0.0.1");
    socket.resume().end(header);
    await until("it is gone", 5_000, () => gone > before);
  }
  expect(counted).toEqual(["edge.opened", "edge.closed"]);
});
