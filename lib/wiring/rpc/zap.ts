// ZAP: who may speak to a listening socket with CURVE. libzmq asks this process for every handshake, and waits for the answer.
//
//   caller --CURVE handshake--> libzmq --request at inproc://zeromq.zap.01--> Desk --> the guard of the socket's domain
//                                      <--200 or 400---------------------------/
//
// Source: https://rfc.zeromq.org/spec/27/ . There is one such desk a process; sockets are told apart by their domain.
//
//   Z1. Fails closed: a domain without a guard, a request that cannot be read and a guard that throws are all refused. Sockets
//       set `zapEnforceDomain`, so without a desk libzmq refuses as well.
//   Z2. Without guards nobody listens at the desk, so nothing keeps the process alive. The desk itself stays until the process ends:
//       libzmq 4.3.5 may abort the process (an assertion in pipe.cpp) when an inproc name is unbound while callers are leaving.

import { Router } from "zeromq";
import { encodeZ85 } from "./z85.js";

const ENDPOINT = "inproc://zeromq.zap.01";
const VERSION = "1.0";
const KEY_BYTES = 32;
/** Z2. Between two looks at whether there are guards left: how long the end of a process may have to wait for it. */
const LOOK_EVERY_MS = 100;

/** Decides on one caller. Must not wait: the handshake of everybody behind it waits, too. */
export interface Guard {
  /** @param key Its public key, Z85. @param address Where it calls from, as text without a port. */
  admits(key: string, address: string): boolean;
}

const guards = new Map<string, Guard>();
let desk: Promise<Router> | undefined;
let listening = false;

/**
 * From now on this guard decides for sockets of `domain`, which must be unique in the process.
 *
 * @returns the way to end that.
 */
export async function post(domain: string, guard: Guard): Promise<() => Promise<void>> {
  guards.set(domain, guard);
  desk ??= openDesk();
  const socket = await desk;
  if (!listening) void answer(socket);
  return async () => {
    guards.delete(domain);
  };
}

async function openDesk(): Promise<Router> {
  const socket = new Router({ linger: 0, receiveTimeout: LOOK_EVERY_MS });
  await socket.bind(ENDPOINT);
  return socket;
}

/** Z2 */
async function answer(socket: Router): Promise<void> {
  listening = true;
  try {
    while (guards.size > 0) {
      const [route, empty, ...request] = await next(socket);
      if (route && empty) await socket.send([route, empty, ...reply(request)]);
    }
  } finally {
    listening = false;
  }
}

/** An empty message: nobody has asked for a while. */
async function next(socket: Router): Promise<Buffer[]> {
  try {
    return await socket.receive();
  } catch (error) {
    if ((error as { code?: unknown } | undefined)?.code === "EAGAIN") return [];
    throw error;
  }
}

function reply([version, id, domain, address, _identity, mechanism, key]: readonly Buffer[]): (string | Buffer)[] {
  const known = String(version) === VERSION && String(mechanism) === "CURVE" && key?.length === KEY_BYTES;
  const admitted = known && ask(String(domain), encodeZ85(key), String(address));
  const [code, text] = admitted ? ["200", "OK"] : ["400", "this key is not admitted"];
  return [VERSION, id ?? "", code ?? "400", text ?? "", admitted ? encodeZ85(key) : "", ""];
}

/** Z1 */
function ask(domain: string, key: string, address: string): boolean {
  try {
    return guards.get(domain)?.admits(key, address) ?? false;
  } catch {
    return false;
  }
}
