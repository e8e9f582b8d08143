// Miners: thousands of Stratum clients in one process, as light as they can be, so that what is measured is the pool.
//
//   storm(where, count)    all connect at once, subscribe, authorize; the time until each has a job
//   hear()                 when the first and the last of them had the whole next job
//   submit(outstanding)    a closed loop of shares, each awaited; every hash is a share, so nobody searches
//
// Also the bare loop that jobs are compared with: `serve` accepts clients and `shout` writes the same bytes to each.

import { connect, createServer, type NetConnectOpts, type Socket } from "node:net";
import { beAgent } from "../kit/agent.js";
import { type Load, load, quantiles } from "../kit/load.js";
import { machineMs } from "../push/contender.js";

export interface Where {
  readonly port?: number;
  /** The keeper's socket: a PROXY header goes first. */
  readonly path?: string;
}

export interface Storm {
  readonly connected: number;
  /** Until the last had its job. */
  readonly ms: number;
  readonly refused: number;
  /** Some of these: `17 open, heard 0 bytes`. Says where it went wrong: at the door, at the edge, or behind it. */
  readonly missing: readonly string[];
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
}

export interface Heard {
  readonly firstMs: number;
  readonly lastMs: number;
  readonly bytes: number;
  /** From the first to each, microseconds. */
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
}

const PROXY_HEADER = "PROXY TCP4 127.0.0.2 127.0.0.1 40000 3333\r\n";
const NEWLINE = 0x0a;
const NOTIFY = Buffer.from('"mining.notify","params":["');
const RESULT = Buffer.from('"result":true');
/** Connections that are begun and not accepted: a unix socket's backlog refuses more than that, where TCP's would wait. */
const CONNECTING_MAX = 256;
const STORM_MS = 60_000;
const HEAR_MS = 30_000;
const SUBMIT_ID_FIRST = 100;
const TOLD_MAX = 5;
const AGAIN_MS = 20;

class Miner {
  job = "";
  time = "";
  readonly #waiting: (() => void)[] = [];
  #rest: Buffer | undefined;
  /** As long as mining.subscribe was told. */
  #extranonce2 = "";
  #nonce = 0;
  closed = false;
  /** Bytes. */
  heard = 0;

  constructor(
    readonly socket: Socket,
    readonly index: number,
    readonly onJob: (miner: Miner, bytes: number) => void,
  ) {
    socket.setNoDelay(true);
    socket.on("data", (chunk: Buffer) => this.#read(chunk));
    socket.on("error", () => {}); // `close` follows.
    socket.on("close", () => {
      this.closed = true;
    });
  }

  begin(proxied: boolean): void {
    const hello = `{"id":1,"method":"mining.subscribe","params":["bench/1"]}\n{"id":2,"method":"mining.authorize","params":["w${this.index}.rig","x"]}\n`;
    this.socket.write(proxied ? PROXY_HEADER + hello : hello);
  }

  submit(done: () => void): void {
    this.#waiting.push(done);
    const nonce = (this.#nonce++).toString(16).padStart(8, "0");
    const id = SUBMIT_ID_FIRST + this.#nonce;
    this.socket.write(
      `{"id":${id},"method":"mining.submit","params":["w${this.index}.rig","${this.job}","${this.#extranonce2}","${this.time}","${nonce}"]}\n`,
    );
  }

  #read(chunk: Buffer): void {
    this.heard += chunk.length;
    const bytes = this.#rest ? Buffer.concat([this.#rest, chunk]) : chunk;
    let at = 0;
    for (let end = bytes.indexOf(NEWLINE); end >= 0; end = bytes.indexOf(NEWLINE, at)) {
      this.#line(bytes.subarray(at, end));
      at = end + 1;
    }
    this.#rest = at < bytes.length ? bytes.subarray(at) : undefined;
  }

  #line(line: Buffer): void {
    const at = line.indexOf(NOTIFY);
    if (at >= 0) {
      const from = at + NOTIFY.length;
      this.job = line.toString("latin1", from, line.indexOf(0x22, from));
      const [, time = ""] = /"([0-9a-f]{8})",(?:true|false)\]\}$/.exec(line.toString("latin1", line.length - 32)) ?? [];
      this.time = time;
      this.onJob(this, line.length + 1);
    } else if (this.#extranonce2 === "") {
      const [, bytes = "0"] = /,(\d+)\],"error":null\}$/.exec(line.toString("latin1")) ?? [];
      this.#extranonce2 = "00".repeat(Number(bytes)); // The answer to mining.subscribe comes first.
    } else if (this.#waiting.length > 0) {
      if (line.indexOf(RESULT) < 0) throw new Error(`a share was refused: ${line}`);
      this.#waiting.shift()?.();
    }
  }
}

let miners: Miner[] = [];
let onJob: (miner: Miner, bytes: number) => void = () => {};
let onLost: () => void = () => {};

async function storm({ where, count }: { where: Where; count: number }): Promise<Storm> {
  const times: number[] = [];
  const has = new Set<Miner>();
  const fromMs = performance.now();
  let lost = 0;
  const all = new Promise<void>((resolve) => {
    onJob = (miner) => {
      if (has.has(miner)) return;
      has.add(miner);
      times.push(performance.now() - fromMs);
      if (has.size + lost === count) resolve();
    };
    onLost = () => {
      lost += 1;
      if (has.size + lost === count) resolve(); // Nobody is waited for who is gone.
    };
  });
  for (let i = 0; i < count; i++) {
    open(where, i);
    while (connecting >= CONNECTING_MAX) await new Promise((resolve) => setImmediate(resolve));
  }
  const timer = new Promise((resolve) => setTimeout(resolve, STORM_MS).unref());
  await Promise.race([all, timer]);
  const without = miners.filter(({ closed, job }) => closed || job === "");
  const refused = without.length;
  const missing = without
    .slice(0, TOLD_MAX)
    .map(({ index, closed, heard }) => `${index} ${closed ? "closed" : "open"}, heard ${heard} bytes`);
  return { connected: count - refused, ms: performance.now() - fromMs, refused, missing, ...quantiles(times) };
}

let connecting = 0;

function open(where: Where, index: number): void {
  const { port, path } = where;
  const to: NetConnectOpts = path === undefined ? { port: port ?? 0, host: "127.0.0.1" } : { path };
  connecting += 1;
  const socket = connect(to);
  for (const event of ["connect", "close"]) {
    socket.once(event, () => {
      if (!pending) return;
      pending = false;
      connecting -= 1;
    });
  }
  let pending = true;
  let again = false;
  socket.once("connect", () => miner.begin(path !== undefined));
  // The kernel's own refusal of a unix socket whose queue is full, where TCP would wait.
  socket.once("error", (error: NodeJS.ErrnoException) => {
    again = error.code === "EAGAIN";
  });
  socket.once("close", () => {
    if (again) setTimeout(() => open(where, index), AGAIN_MS);
    else if (miner.job === "") onLost();
  });
  const miner = new Miner(socket, index, (it, bytes) => onJob(it, bytes));
  miners[index] = miner;
}

/** Every one of them had a whole new job. */
function hear(): Promise<Heard> {
  return new Promise((resolve, reject) => {
    const live = miners.filter(({ closed }) => !closed).length;
    const timer = setTimeout(() => reject(new Error(`${times.length} of ${live} miners heard the job`)), HEAR_MS);
    const times: number[] = [];
    onJob = (_, bytes) => {
      times.push(machineMs());
      if (times.length < live) return;
      clearTimeout(timer);
      onJob = () => {};
      const [firstMs = 0, lastMs = 0] = [times[0], times.at(-1)];
      resolve({ firstMs, lastMs, bytes, ...quantiles(times.map((at) => at - firstMs)) });
    };
  });
}

async function submit({ outstanding, ms }: { outstanding: number; ms: number }): Promise<Load> {
  let next = 0;
  const live = miners.filter(({ closed }) => !closed);
  const found = await load(
    (done) => {
      const miner = live[next++ % live.length];
      if (!miner) throw new Error("no miner is connected");
      miner.submit(done);
    },
    { outstanding, ms },
  );
  return found;
}

function leave(): void {
  for (const { socket } of miners) socket.destroy();
  miners = [];
}

const listeners: Socket[] = [];

function serve(path: string): Promise<void> {
  return new Promise((resolve) => {
    const server = createServer((socket) => {
      socket.on("error", () => {});
      socket.resume();
      listeners.push(socket);
    });
    server.listen({ path, backlog: 4_096 }, resolve);
  });
}

/** @returns when it began, on the machine's clock. */
function shout(bytes: number): number {
  const line = Buffer.concat([NOTIFY, Buffer.alloc(bytes - NOTIFY.length - 2, "0"), Buffer.from('"\n')]);
  const fromMs = machineMs();
  for (const socket of listeners) socket.write(line);
  return fromMs;
}

/** Clients of the bare loop say nothing: they are there when they are connected. */
async function attend({ path, count }: { path: string; count: number }): Promise<void> {
  for (let i = 0; i < count; i++) {
    await new Promise<void>((resolve, reject) => {
      const socket = connect({ path }, resolve).once("error", reject);
      miners.push(new Miner(socket, i, (it, bytes) => onJob(it, bytes)));
    });
  }
}

beAgent({ storm, hear, submit, leave, serve, shout, attend, listening: () => listeners.length });
