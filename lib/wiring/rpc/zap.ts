// ZAP: who may speak to a listening socket with CURVE. libzmq asks this process for every handshake, and waits for the answer.
//
//   caller --CURVE handshake--> libzmq --request at inproc://zeromq.zap.01--> Desk --> the guard of the socket's domain
//                                      <--200 or 400---------------------------/
//
// Source: https://rfc.zeromq.org/spec/27/ . There is one such desk a process; sockets are told apart by their domain.
//
//   Z1. Fails closed: a domain without a guard, a request that cannot be read and a guard that throws are all refused. Sockets
//       set `zapEnforceDomain`, so without a desk libzmq refuses as well.
//   Z2. The last guard that leaves takes the desk along: nothing keeps the process alive. It is closed and never unbound: on that
//       libzmq 4.3.5 may abort the process (an assertion in pipe.cpp) while callers are leaving. So its name is free a moment later.

import { setTimeout as delay } from "node:timers/promises";
import { Router } from "zeromq";
import { encodeZ85 } from "./z85.js";

const ENDPOINT = "inproc://zeromq.zap.01";
const VERSION = "1.0";
const KEY_BYTES = 32;
/** Z2. Libzmq's reaper frees the name within milliseconds. */
const BIND_TRIES = 200;
const BIND_PAUSE_MS = 10;

/** Decides on one caller. Must not wait: the handshake of everybody behind it waits, too. */
export interface Guard {
  /** @param key Its public key, Z85. @param address Where it calls from, as text without a port. */
  admits(key: string, address: string): boolean;
}

const guards = new Map<string, Guard>();
let desk: Router | undefined;
/** Opening and closing take their turns: the name can be bound once. */
let turn: Promise<void> = Promise.resolve();

/**
 * From now on this guard decides for sockets of `domain`, which must be unique in the process.
 *
 * @returns the way to end that.
 */
export async function post(domain: string, guard: Guard): Promise<() => Promise<void>> {
  guards.set(domain, guard);
  await next(openDesk);
  return () => {
    guards.delete(domain);
    return next(closeDesk);
  };
}

function next(act: () => Promise<void>): Promise<void> {
  const done = turn.then(act);
  turn = done.catch(() => {});
  return done;
}

async function openDesk(): Promise<void> {
  if (desk || guards.size === 0) return;
  const socket = new Router({ linger: 0 });
  await bind(socket);
  desk = socket;
  void answer(socket);
}

/** Z2 */
async function closeDesk(): Promise<void> {
  if (!desk || guards.size > 0) return;
  const socket = desk;
  desk = undefined;
  socket.close();
}

/** @throws the last try's error. */
async function bind(socket: Router): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      await socket.bind(ENDPOINT);
      return;
    } catch (error) {
      const inUse = (error as { readonly code?: unknown } | undefined)?.code === "EADDRINUSE";
      if (!inUse || tries === BIND_TRIES) throw error;
      await delay(BIND_PAUSE_MS);
    }
  }
}

async function answer(socket: Router): Promise<void> {
  try {
    for await (const [route, empty, ...request] of socket) {
      if (!route || !empty) continue;
      await socket.send([route, empty, ...reply(request)]);
    }
  } catch (error) {
    if (desk === socket) throw error; // Closed otherwise: receiving ends so.
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
