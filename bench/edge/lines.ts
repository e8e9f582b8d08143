// The processes of the edge's line rate: an edge that listens by itself, a backend that sends each line back, and clients.
//
//   clients --line--> edge --events--> backend --out--> edge --line--> clients

import { connect } from "node:net";
import { lineBackend, type Out } from "../../lib/contracts/index.js";
import { type House, houseSettings, openHouse, type PeerId } from "../../lib/wiring/index.js";
import { open as openEdge } from "../../services/edge/main.js";
import { settings as edgeSettings } from "../../services/edge/settings.js";
import { beAgent } from "../kit/agent.js";
import { load } from "../kit/load.js";

const SERVICE = "echo";
const AGAIN_MS = 5;
const NEWLINE = 0x0a;
/** As long as a submit: what an edge sees most. */
const LINE = `${"x".repeat(99)}\n`;
const NEWLINE_BYTES = Buffer.from("\n");

let house: House | undefined;

async function openHouseAt(redis: string): Promise<House> {
  house = await openHouse(
    houseSettings.parse({ cluster: "bench-lines", redis: { url: redis }, log: { level: "error" } }),
  );
  return house;
}

async function edge({ redis, port }: { redis: string; port: number }): Promise<void> {
  const settings = edgeSettings.parse({ backend: SERVICE, listen: { port }, unacknowledgedLinesMax: 1_024 });
  await openEdge(await openHouseAt(redis), settings);
}

async function backend(redis: string): Promise<void> {
  const { nexus } = await openHouseAt(redis);
  /** What an edge does not take now is said again, or its lines would wait for ever. Order is no matter here. */
  const echo = (caller: PeerId, outs: Out[]): void => {
    if (outs.length > 0 && !hosted.pushTo(caller, "out", { outs })) setTimeout(() => echo(caller, outs), AGAIN_MS);
  };
  const hosted = await nexus.host(lineBackend(SERVICE), {
    events: ({ events }, { caller }) => {
      const outs: Out[] = [];
      for (const event of events) {
        if (event.kind !== "line") continue;
        const bytes = Buffer.concat([event.bytes, NEWLINE_BYTES]);
        outs.push({ kind: "write", handle: event.handle, acknowledges: [event.number], bytes });
      }
      echo(caller, outs);
      return {};
    },
    status: () => ({ connections: 0, counters: {} }),
  });
}

const clients: ((done: () => void) => void)[] = [];

async function attend({ ports, count }: { ports: readonly number[]; count: number }): Promise<void> {
  for (let i = 0; i < count; i++) clients.push(await client(ports[i % ports.length] ?? 0));
  await new Promise<void>((resolve) => clients[0]?.(resolve)); // The edge has found its backend.
}

function client(port: number): Promise<(done: () => void) => void> {
  return new Promise((resolve, reject) => {
    const waiting: (() => void)[] = [];
    let length = 0;
    const socket = connect({ port, host: "127.0.0.1", noDelay: true }, () =>
      resolve((done) => {
        waiting.push(done);
        socket.cork();
        socket.write(LINE);
        process.nextTick(() => socket.uncork());
      }),
    ).once("error", reject);
    socket.on("data", (chunk: Buffer) => {
      for (const byte of chunk) {
        length += 1;
        if (byte !== NEWLINE) continue;
        if (length !== LINE.length) throw new Error(`a line of ${length} bytes came back`);
        length = 0;
        waiting.shift()?.();
      }
    });
  });
}

let next = 0;

beAgent({
  edge,
  backend,
  attend,
  load: (options: { outstanding: number; ms: number }) =>
    load((done) => clients[next++ % clients.length]?.(done), options),
  close: () => house?.close(),
});
