// One thread of strangers: connections that send nonsense as fast as the pool takes it, and read what they are answered.
//
//   flood.ts --"close"--> this thread --TCP--> pool          this thread --Count--> flood.ts
//
// A stranger that is closed comes back; one that is not let in, too.

import { connect, type Socket } from "node:net";
import { parentPort, workerData } from "node:worker_threads";
import { z } from "zod";
import { Seed } from "../chaos/seed.js";
import { cutAnywhere, makeLine, pick } from "./lines.js";

export const strangersData = z.object({
  port: z.number(),
  connections: z.number(),
  seed: z.number(),
  /** Address to come from, so that honest miners are told apart from it. */
  from: z.string(),
});
export type StrangersData = z.output<typeof strangersData>;

export interface Count {
  /** Lines that the kernel took; answers and other bytes heard; connections made and closed by the pool. */
  readonly lines: number;
  readonly heardBytes: number;
  readonly connected: number;
  readonly closed: number;
}

/** What HAProxy lets in begins with this. */
const HELLO = '{"id":0,"method":"mining.ping","params":[]}\n';
/** Lines kept ready, of which some are made anew at each write: making every line anew would be slower than the pool. */
const READY_LINES = 4_096;
const FRESH_LINES = 16;
/** Of one write. */
const LINES_MAX = 200;
const PIECES = [1, 1, 2, 3, 8] as const;
const BACK_AFTER_MS = 50;
const REPORT_MS = 250;

class Strangers {
  readonly #seed: Seed;
  readonly #ready: Buffer[];
  readonly #sockets = new Set<Socket>();
  #lines = 0;
  #heardBytes = 0;
  #connected = 0;
  #closed = 0;
  #over = false;

  constructor(private readonly data: StrangersData) {
    this.#seed = new Seed(data.seed);
    this.#ready = Array.from({ length: READY_LINES }, () => makeLine(this.#seed));
    for (let i = 0; i < data.connections; i++) this.#connect();
  }

  get count(): Count {
    const [lines, heardBytes, connected, closed] = [this.#lines, this.#heardBytes, this.#connected, this.#closed];
    return { lines, heardBytes, connected, closed };
  }

  close(): void {
    this.#over = true;
    for (const socket of this.#sockets) socket.destroy();
  }

  #connect(): void {
    if (this.#over) return;
    const { port, from } = this.data;
    const socket = connect({ port, host: "127.0.0.1", localAddress: from, noDelay: true });
    this.#sockets.add(socket);
    socket.on("connect", () => {
      this.#connected += 1;
      socket.write(HELLO);
      this.#send(socket);
    });
    socket.on("data", (chunk) => {
      this.#heardBytes += chunk.length;
    });
    socket.on("error", () => {}); // Its close says all.
    socket.on("close", () => {
      this.#sockets.delete(socket);
      this.#closed += 1;
      if (!this.#over) setTimeout(() => this.#connect(), BACK_AFTER_MS);
    });
  }

  /** One write at a time: its lines count when the kernel has taken them, and only then the next follow. */
  #send(socket: Socket): void {
    if (this.#over || socket.destroyed) return;
    const lines = this.#some();
    const pieces = cutAnywhere(this.#seed, Buffer.concat(lines), pick(this.#seed, PIECES));
    const last = pieces.pop() ?? Buffer.alloc(0);
    for (const piece of pieces) socket.write(piece);
    socket.write(last, (error) => {
      if (error) return; // Closed: its lines do not count.
      this.#lines += lines.length;
      setImmediate(() => this.#send(socket));
    });
  }

  #some(): Buffer[] {
    for (let i = 0; i < FRESH_LINES; i++) this.#ready[this.#seed.int(0, READY_LINES - 1)] = makeLine(this.#seed);
    const from = this.#seed.int(0, READY_LINES - LINES_MAX);
    return this.#ready.slice(from, from + this.#seed.int(1, LINES_MAX));
  }
}

if (parentPort) {
  const port = parentPort;
  const strangers = new Strangers(strangersData.parse(workerData));
  const timer = setInterval(() => port.postMessage(strangers.count), REPORT_MS);
  port.on("message", () => {
    clearInterval(timer);
    strangers.close();
    port.postMessage(strangers.count);
    port.close();
  });
}
