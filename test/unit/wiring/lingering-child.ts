// Two processes for lingering.test.ts: one that closes its socket with much unsent, and its peer, which reads nothing, says much, and dies.
//
//   fork(leave, linger) --fork--> peer: binds, tells where, speaks until it is told to die
//        '--closes, has the peer killed--> exit code 0; or libzmq aborts it

import { fork } from "node:child_process";
import { once } from "node:events";
import { setTimeout as delay, setImmediate as nextTurn } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Dealer, Router } from "zeromq";

const HEARTBEAT_MS = 100;
/** Several heartbeats after the peer has gone. */
const AFTERWARDS_MS = 6 * HEARTBEAT_MS;
/** Far more than sockets hold. */
const UNSENT = Array.from({ length: 400 }, () => Buffer.alloc(100_000));

async function peer(): Promise<void> {
  const socket = new Router({ receiveHighWaterMark: 1, sendHighWaterMark: 0, linger: 0 });
  await socket.bind("tcp://127.0.0.1:*");
  process.send?.(socket.lastEndpoint);
  process.on("disconnect", () => process.exit());
  const [route] = await socket.receive(); // And nothing more.
  for (;;) {
    await socket.send([route ?? "", Buffer.alloc(20_000)]);
    await nextTurn();
  }
}

async function leave(linger: number): Promise<void> {
  const other = fork(fileURLToPath(import.meta.url), ["peer"]);
  const [endpoint] = await once(other, "message");
  const socket = new Dealer({
    ...{ heartbeatInterval: HEARTBEAT_MS, heartbeatTimeout: 4 * HEARTBEAT_MS, reconnectInterval: -1 },
    ...{ sendHighWaterMark: 0, receiveHighWaterMark: 0 },
  });
  socket.connect(String(endpoint));
  await socket.send("hello");
  for (const block of UNSENT) await socket.send(block);
  for (let heard = 0; heard < 100; heard++) await socket.receive();
  socket.linger = linger;
  socket.close();
  await delay(HEARTBEAT_MS / 2); // The peer speaks on, into a socket that reads no more.
  other.kill("SIGKILL");
  await delay(AFTERWARDS_MS);
  process.exit(0);
}

const [, , what = "", linger = "0"] = process.argv;
await (what === "peer" ? peer() : leave(Number(linger)));
