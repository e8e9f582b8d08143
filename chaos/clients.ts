// One thread of clients: sockets and clocks for many Clients, and what they saw, in batches, for the ledger.
//
//   crowd.ts --Order--> this thread --TCP--> pool          this thread --Report--> crowd.ts
//
// Clients have threads of their own, so that what they measure is the pool's slowness and not that of the breaking.

import { connect, type Socket } from "node:net";
import { parentPort, workerData } from "node:worker_threads";
import { z } from "zod";
import { Client } from "./client.js";
import { clockMs, type Seen } from "./seen.js";
import type { Stretch } from "./tolls.js";

export type Order = "pause" | "close";

export interface Report {
  readonly seen: readonly Seen[];
  /** Clients that mine; questions without an answer; lines that came, all time. */
  readonly mining: number;
  readonly waiting: number;
  readonly lines: number;
  /** How late this thread itself was at worst, all time: what it measures cannot be more exact. */
  readonly lateMs: number;
  /** Each time it was late, since the last report. */
  readonly late: readonly Stretch[];
}

export const threadData = z.object({
  port: z.number(),
  first: z.number(),
  count: z.number(),
  everyMs: z.number(),
  /** Connections opened a second. */
  perSecond: z.number(),
});
export type ThreadData = z.output<typeof threadData>;

const TICK_MS = 20;
const REPORT_MS = 100;
/** Later than this is told: less is below what any wait is judged by. */
const LATE_TOLD_MS = 50;
/** A client that was closed comes back after this, like firmware does. */
const BACK_AFTER_MS = 500;
/** The pool's lines stay below 64 kB. */
const REST_MAX = 1 << 20;

class Wired {
  readonly client: Client;
  #socket: Socket | undefined;
  #rest = "";
  #backAtMs = 0;

  constructor(
    index: number,
    private readonly data: ThreadData,
    see: (seen: Seen) => void,
  ) {
    const write = (line: string) => void this.#socket?.write(`${line}\n`);
    this.client = new Client(index, { write, see, nowMs: clockMs }, { everyMs: data.everyMs });
  }

  /** @param beginMs When it connects first. */
  begin(beginMs: number): void {
    this.#backAtMs = beginMs;
  }

  tick(nowMs: number): void {
    if (this.#socket) this.client.tick(nowMs);
    else if (this.#backAtMs > 0 && nowMs >= this.#backAtMs) this.#connect();
  }

  close(): void {
    this.#backAtMs = 0;
    const socket = this.#socket;
    this.#socket = undefined;
    this.client.ended("us", "the run is over");
    socket?.destroy();
  }

  #connect(): void {
    const socket = connect({ port: this.data.port, host: "127.0.0.1", noDelay: true });
    this.#socket = socket;
    this.#rest = "";
    let why = "the pool closed";
    socket.setEncoding("utf8");
    socket.on("connect", () => {
      // Spread over the time between two shares.
      this.client.opened(clockMs() + Math.random() * this.data.everyMs);
    });
    socket.on("data", (text) => this.#received(String(text)));
    socket.on("error", (error) => {
      why = error.message;
    });
    socket.on("close", () => {
      if (this.#socket !== socket) return;
      this.#socket = undefined;
      this.#backAtMs = clockMs() + BACK_AFTER_MS;
      this.client.ended("pool", why);
    });
  }

  #received(text: string): void {
    const lines = (this.#rest + text).split("\n");
    this.#rest = lines.pop() ?? "";
    if (this.#rest.length > REST_MAX) this.#socket?.destroy(new Error("a line without an end"));
    for (const line of lines) this.client.line(line);
  }
}

function run(data: ThreadData, report: (report: Report) => void, orders: (take: (order: Order) => void) => void): void {
  let seen: Seen[] = [];
  const all = Array.from({ length: data.count }, (_, i) => new Wired(data.first + i, data, (fact) => seen.push(fact)));
  const fromMs = clockMs();
  for (const [i, wired] of all.entries()) wired.begin(fromMs + (1_000 * i) / data.perSecond);
  let lateMs = 0;
  let late: Stretch[] = [];
  let tickedMs = fromMs;
  const send = () => {
    const mining = all.filter(({ client }) => client.mining).length;
    const waiting = all.reduce((sum, { client }) => sum + client.waiting, 0);
    const lines = all.reduce((sum, { client }) => sum + client.lines, 0);
    report({ seen, mining, waiting, lines, lateMs, late });
    seen = [];
    late = [];
  };
  const timers = [
    setInterval(() => {
      const nowMs = clockMs();
      const dueMs = tickedMs + TICK_MS;
      lateMs = Math.max(lateMs, nowMs - dueMs);
      if (nowMs - dueMs >= LATE_TOLD_MS) late.push({ fromMs: dueMs, untilMs: nowMs });
      tickedMs = nowMs;
      for (const wired of all) wired.tick(nowMs);
    }, TICK_MS),
    setInterval(send, REPORT_MS),
  ];
  orders((order) => {
    if (order === "pause") for (const { client } of all) client.pause();
    if (order !== "close") return;
    for (const timer of timers) clearInterval(timer);
    for (const wired of all) wired.close();
    send();
  });
}

if (parentPort) {
  const port = parentPort;
  run(
    threadData.parse(workerData),
    (report) => port.postMessage(report),
    (take) =>
      port.on("message", (order: Order) => {
        take(order);
        if (order === "close") port.close(); // The last thing that holds the thread.
      }),
  );
}
