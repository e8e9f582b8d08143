// What holds between processes when one of them is killed, blocked or cut off.

import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { expect, test } from "@jest/globals";
import { type Directory, type Instance, instance as instanceSchema } from "../../../lib/wiring/index.js";
import { atEnd } from "../../kit/cleanup.js";
import { until } from "../../kit/until.js";
import { listen } from "./conformance-pushes.js";
import { contract } from "./mill.js";
import { startProxy } from "./proxy.js";
import { failureOf, openMill, openWorld } from "./world.js";

const program = fileURLToPath(new URL("./child.js", import.meta.url));

/** What a child says over IPC: one of these at a time. */
interface Told {
  readonly instance?: unknown;
  readonly held?: number;
  readonly joined?: string;
}

interface Child {
  readonly process: ChildProcess;
  readonly told: Told[];
}

function spawn(what: string): Child {
  const child = fork(program, [what], { stdio: ["ignore", "inherit", "inherit", "ipc"] });
  const told: Told[] = [];
  child.on("message", (message) => told.push(message as Told));
  atEnd(() => child.kill("SIGKILL"));
  return { process: child, told };
}

async function spawnMill(directory: Directory): Promise<Child & { instance: Instance }> {
  const child = spawn("serve");
  const told = await until("the child serves", 10_000, () => child.told.find((one) => one.instance));
  const instance = instanceSchema.parse(told.instance);
  directory.put(instance);
  return { ...child, instance };
}

test("W2 a process killed -9 fails its calls in flight with DISCONNECTED within milliseconds; those that may be repeated succeed elsewhere", async () => {
  const world = await openWorld("remote");
  const child = await spawnMill(world.directory);
  const client = world.caller.client(contract);
  await client.ready(2_000);
  const { seen } = listen(client);
  const safe = client.call("hold", 1);
  const unsafe = [2, 3].map((n) => failureOf(client.call("once", n)));
  await until("all are held", 2_000, () => child.told.filter((one) => one.held).length === 3);
  await until("it is subscribed", 2_000, () => seen.length === 1);
  const mill = await openMill(world.host);
  await until("another one is there", 2_000, () => client.instances().length === 2);
  const killed = performance.now();
  child.process.kill("SIGKILL");
  for (const failure of await Promise.all(unsafe)) expect(failure).toMatchObject({ code: "DISCONNECTED", sent: true });
  expect(performance.now() - killed).toBeLessThan(500);
  const [again] = await until("the safe one is repeated", 500, () => (mill.held[0] ? mill.held : undefined));
  again?.answer(11);
  expect(await safe).toBe(11);
  expect(seen).toContain("leave gone");
  expect(client.instances().map(({ id }) => id)).toEqual([mill.hosted.instance.id]); // Though discovery lists it still.
});

test("a caller killed -9 is noticed by those it called or subscribed to: signals abort, subscriptions end, onPeerGone", async () => {
  const { host } = await openWorld("remote");
  const gone: string[] = [];
  const mill = await openMill(host, { onPeerGone: (peer) => gone.push(peer) });
  const child = spawn("ask");
  child.process.send({ instance: mill.hosted.instance });
  const told = await until("it has joined", 10_000, () => child.told.find((one) => one.joined));
  await until("its call is held", 2_000, () => mill.held.length === 1);
  expect(mill.hosted.subscribers("flour")).toEqual([told.joined]);
  const signal = mill.held[0]?.context.signal;
  const killed = performance.now();
  child.process.kill("SIGKILL");
  await until("it is gone", 1_000, () => gone.length === 1);
  expect(performance.now() - killed).toBeLessThan(500);
  expect(gone).toEqual([told.joined]);
  expect(signal?.aborted).toBe(true);
  expect(mill.hosted.subscribers("flour")).toEqual([]);
  mill.hosted.push("flour", { sack: 1 });
  mill.held[0]?.answer(1);
});

test("W1 a blocked process is not given up, and runs no request whose deadline passed while it was blocked", async () => {
  const world = await openWorld("remote", { heartbeatMs: 300, pingMs: 50 });
  const { instance } = await spawnMill(world.directory);
  const client = world.caller.client(contract);
  await client.ready(2_000);
  await client.call("echo", { text: "warm" });
  const hasty = (n: number) => failureOf(client.call("act", n, { timeoutMs: 100 }));
  const blocking = client.call("act", 800);
  const late = [hasty(1)]; // Read together with the call that blocks,
  await new Promise((resolve) => setImmediate(resolve));
  late.push(hasty(2)); // and in a frame of its own, which lies unread.
  const patient = client.call("act", 0);
  for (const failure of await Promise.all(late)) expect(failure).toMatchObject({ code: "TIMEOUT", sent: true });
  await blocking;
  expect(await patient).toEqual([800, 0]);
  expect(client.instances().map(({ id }) => id)).toEqual([instance.id]);
});

test("when everything is closed the process ends by itself", async () => {
  const child = spawn("leave");
  const [code, signal] = await once(child.process, "exit");
  expect([code, signal]).toEqual([0, null]);
});

/** A mill whose callers reach it through a proxy. */
async function behindProxy(limits: Parameters<typeof openWorld>[1]) {
  const world = await openWorld("remote", limits);
  let through: string | undefined;
  const caller = await world.open({ dial: (endpoint) => through ?? endpoint });
  const gone: string[] = [];
  let sack = 0;
  const mill = await openMill(world.host, {
    onPeerGone: (peer) => gone.push(peer),
    snapshots: { flour: () => [{ sack }] },
  });
  const proxy = await startProxy(mill.hosted.instance.endpoint);
  through = proxy.endpoint;
  const client = caller.client(contract);
  await client.ready(2_000);
  const push = (n: number) => {
    sack = n;
    mill.hosted.push("flour", { sack });
  };
  return { ...world, caller, mill, proxy, client, gone, push };
}

test("W2 a broken connection is noticed by both ends at once and made anew, with a snapshot of what was missed", async () => {
  const { mill, proxy, client, gone, push, caller } = await behindProxy({});
  const { seen } = listen(client);
  await until("it is subscribed", 2_000, () => seen.length === 2);
  const call = failureOf(client.call("once", 1));
  await until("the call is held", 1_000, () => mill.held.length === 1);
  proxy.cut();
  push(5);
  expect(await call).toMatchObject({ code: "DISCONNECTED", sent: true });
  await until("the stream has begun anew", 2_000, () => seen.length === 5);
  push(6);
  await until("the stream goes on", 2_000, () => seen.length === 6);
  expect(seen).toEqual(["join", "0@s", "leave gone", "join", "5@s", "6@1"]);
  expect(gone).toEqual([caller.peer]);
  expect(await client.call("echo", { text: "again" })).toEqual({ text: "again" });
});

test("a peer that vanished without a word is noticed by the heartbeat, by both ends", async () => {
  const { mill, proxy, client, gone } = await behindProxy({ heartbeatMs: 200 });
  const call = failureOf(client.call("once", 1));
  await until("the call is held", 1_000, () => mill.held.length === 1);
  proxy.hold(true);
  expect(await call).toMatchObject({ code: "DISCONNECTED", sent: true });
  await until("the far side has noticed too", 2_000, () => gone.length === 1);
});

test("W1 while nothing gets through, what was not sent expires unsent, and is not run later", async () => {
  const { mill, proxy, client } = await behindProxy({ windowBytes: 4_096, heartbeatMs: 60_000 });
  await client.call("echo", { text: "warm" });
  const { id } = mill.hosted.instance;
  proxy.hold(true);
  const pad = "x".repeat(3_000);
  const sent = failureOf(client.call("echo", { text: pad }, { to: id, timeoutMs: 100 }));
  const waiting = [
    client.call("echo", { text: pad }, { to: id, timeoutMs: 100 }),
    client.call("act", 1, { to: id, timeoutMs: 100 }),
  ];
  for (const call of waiting) expect(await failureOf(call)).toMatchObject({ code: "EXPIRED", sent: false });
  expect(await sent).toMatchObject({ code: "TIMEOUT", sent: true });
  proxy.hold(false);
  expect(await client.call("act", 2)).toBe(2);
  expect(mill.begun).toEqual([2]);
});

test("W4 discovery dropping an instance whose socket lives changes nothing", async () => {
  const { directory, client, mill } = await behindProxy({});
  directory.remove(mill.hosted.instance.id);
  expect(await client.call("act", 1)).toBe(1);
  expect(client.instances()).toHaveLength(1);
  await mill.hosted.close(); // It leaves by saying so.
  await until("it has left", 1_000, () => client.instances().length === 0);
});
