// A process of its own for the wiring's tests. What it does is its first argument; the rest goes over IPC.
//
//   serve    hosts the mill, tells its instance; handler `act(n)` blocks the event loop for n ms; `begun` tells what has begun
//   ask      calls `hold` and subscribes at the instance it is given, then waits to be killed
//   leave    hosts, calls itself over a socket and locally, closes everything, and must end by itself

import {
  Directory,
  type Instance,
  memoryDiscovery,
  type Nexus,
  noMetrics,
  openNexus,
  quiet,
} from "../../../lib/wiring/index.js";
import { contract, credentials } from "./mill.js";

const directory = new Directory();
const open = (): Promise<Nexus> =>
  openNexus({
    ...{ discovery: memoryDiscovery(directory), version: "1", bind: "127.0.0.1", log: quiet, metrics: noMetrics },
    credentials,
  });

const tell = (message: object): void => {
  process.send?.(message);
};

function block(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

async function serve(): Promise<void> {
  const nexus = await open();
  const begun: number[] = [];
  const hosted = await nexus.host(contract, {
    echo: (request) => request,
    hold: (n) => new Promise<number>(() => tell({ held: n })),
    once: (n) => new Promise<number>(() => tell({ held: n })),
    act: (n) => {
      begun.push(n);
      block(n);
      return begun;
    },
  });
  tell({ instance: hosted.instance });
}

async function ask(instance: Instance): Promise<void> {
  const nexus = await open();
  directory.put(instance);
  const client = nexus.client(contract);
  client.subscribe("flour", { onMessage: () => {}, onJoin: () => tell({ joined: nexus.peer }) });
  await client.call("hold", 1);
}

async function leave(): Promise<void> {
  const [host, caller] = [await open(), await open()];
  const implementation = {
    echo: (request: unknown) => request,
    hold: (n: number) => n,
    once: (n: number) => n,
    act: (n: number) => n,
  };
  await host.host(contract, implementation, { snapshots: { flour: () => [{ sack: 1 }] } });
  const clients = [host.client(contract), caller.client(contract)];
  for (const client of clients) {
    client.subscribe("flour", { onMessage: () => {} });
    await Promise.all(Array.from({ length: 100 }, (_, i) => client.call("act", i)));
  }
  directory.put({
    ...(clients[0]?.instances()[0] as Instance),
    id: "mill-nobody" as Instance["id"],
    endpoint: "tcp://127.0.0.1:1",
  });
  await caller.close();
  await host.close();
  process.disconnect(); // The IPC channel is the test's, not the wiring's.
}

const [, , what] = process.argv;
process.on("message", (message: { instance: Instance }) => void ask(message.instance));
if (what === "serve") void serve();
if (what === "leave") void leave();
