// A Stratum v1 client: one TCP connection, requests with replies, and what the pool says unasked.
//
//   StratumClient.connect -> subscribe -> authorize -> onWork(...) -> submit ... -> close
//
// It serves the demo miner and, in the tests, scripted miners. It checks what a miner's firmware would trip over:
//
//   M1. Every reply belongs to exactly one question; a reply that belongs to none is counted in `strangeLines`.
//   M2. The end of the connection, whoever caused it, rejects every open question and is reported once.

import { EventEmitter, once } from "node:events";
import { connect, type Socket } from "node:net";
import type { Readable } from "node:stream";
import { z } from "zod";

const LINE_BYTES_MAX = 1 << 20; // A notify of a large block stays far below; more is no Stratum server.

const hex = z.string().regex(/^([0-9a-f]{2})*$/i);
const word = z.string().regex(/^[0-9a-f]{8}$/i);

const notifyParams = z.tuple([
  z.string(),
  z.string().regex(/^[0-9a-f]{64}$/i),
  hex,
  hex,
  z.array(z.string().regex(/^[0-9a-f]{64}$/i)),
  word,
  word,
  word,
  z.boolean(),
]);

const message = z.object({
  id: z.union([z.number(), z.string(), z.null()]).optional(),
  method: z.string().optional(),
  params: z.array(z.unknown()).optional(),
  result: z.unknown().optional(),
  error: z.unknown().optional(),
});

/** `[code, text, traceback]`, as Stratum v1 sends it. */
const errorReply = z.tuple([z.number(), z.string()]).rest(z.unknown());

const subscribeReply = z.tuple([z.array(z.tuple([z.string(), z.string()])), hex, z.number().int().min(1).max(16)]);

/** `mining.notify`, decoded but in the order and form of the wire. */
export interface Work {
  readonly jobId: string;
  /** 64 hex digits, each 4-byte word swapped. */
  readonly previousHash: string;
  readonly coinbase1: string;
  readonly coinbase2: string;
  readonly branches: readonly string[];
  readonly version: string;
  readonly bits: string;
  readonly time: string;
  readonly clean: boolean;
  /** The difficulty in force when the work came. */
  readonly difficulty: number;
}

export interface Subscription {
  /** Sent back at the next subscribe, it resumes the session. */
  readonly sessionId: string;
  readonly extranonce1: string;
  readonly extranonce2Size: number;
}

export class StratumError extends Error {
  override readonly name = "StratumError";
  constructor(
    readonly code: number,
    message: string,
  ) {
    super(`[${code}] ${message}`);
  }
}

interface Events {
  work: [Work];
  difficulty: [number];
  line: [string];
  close: [Error | undefined];
}

export class StratumClient extends EventEmitter<Events> {
  /** Lines that were no valid message, or answers to nothing (M1). */
  strangeLines = 0;
  difficulty = 1; // Both cgminer and minerd start at 1.
  work: Work | undefined;
  closed = false;
  readonly #questions = new Map<number, { resolve(result: unknown): void; reject(error: Error): void }>();
  #nextId = 1;
  #rest = "";

  private constructor(readonly socket: Socket) {
    super();
    socket.setEncoding("utf8");
    socket.setNoDelay(true);
    (socket as Readable).on("data", (text: string) => this.#receive(text));
    let cause: Error | undefined;
    socket.on("error", (error) => {
      cause = error;
    });
    socket.on("close", () => this.#ended(cause));
  }

  /** @throws when the connection is refused or takes longer than timeoutMs (default 5_000). */
  static async connect(
    address: { readonly host: string; readonly port: number; readonly localAddress?: string },
    timeoutMs = 5_000,
  ): Promise<StratumClient> {
    const socket = connect(address);
    try {
      await once(socket, "connect", { signal: AbortSignal.timeout(timeoutMs) });
    } catch (error) {
      socket.destroy();
      throw new Error(`no connection to the pool at ${address.host}:${address.port}`, { cause: error });
    }
    return new StratumClient(socket);
  }

  /** @throws {StratumError} when the pool refuses; Error when the connection ends or no answer comes in timeoutMs (default 10_000). */
  request(method: string, params: readonly unknown[], timeoutMs = 10_000): Promise<unknown> {
    if (this.closed) return Promise.reject(new Error("the connection is closed"));
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#questions.delete(id);
        reject(new Error(`no answer to ${method} within ${timeoutMs} ms`));
      }, timeoutMs);
      const settle = <T>(then: (value: T) => void) => {
        return (value: T) => {
          clearTimeout(timer);
          then(value);
        };
      };
      this.#questions.set(id, { resolve: settle(resolve), reject: settle(reject) });
      this.send({ id, method, params });
    });
  }

  /** Writes one message, or raw text, as a line. */
  send(line: object | string): void {
    this.socket.write(`${typeof line === "string" ? line : JSON.stringify(line)}\n`);
  }

  async subscribe(agent = "headframe-miner/1", sessionId?: string): Promise<Subscription> {
    const reply = await this.request("mining.subscribe", sessionId === undefined ? [agent] : [agent, sessionId]);
    const [pairs, extranonce1, extranonce2Size] = subscribeReply.parse(reply);
    const sessionIdGiven = pairs.find(([method]) => method === "mining.notify")?.[1] ?? "";
    return { sessionId: sessionIdGiven, extranonce1, extranonce2Size };
  }

  async authorize(worker: string, password = "x"): Promise<boolean> {
    return (await this.request("mining.authorize", [worker, password])) === true;
  }

  /** True when the pool said so. @throws {StratumError} with the pool's code when it refused the share. */
  async submit(
    worker: string,
    share: { jobId: string; extranonce2: string; time: string; nonce: string },
  ): Promise<boolean> {
    const params = [worker, share.jobId, share.extranonce2, share.time, share.nonce];
    return (await this.request("mining.submit", params)) === true;
  }

  /** The work in hand, or the next to come. */
  async nextWork(timeoutMs = 10_000): Promise<Work> {
    if (this.work) return this.work;
    const [work] = (await once(this, "work", { signal: AbortSignal.timeout(timeoutMs) })) as [Work];
    return work;
  }

  close(): void {
    this.socket.destroy();
  }

  #receive(text: string): void {
    this.#rest += text;
    const lines = this.#rest.split("\n");
    this.#rest = lines.pop() ?? "";
    if (this.#rest.length > LINE_BYTES_MAX)
      this.socket.destroy(new Error(`the pool sent a line of over ${LINE_BYTES_MAX} bytes`));
    for (const line of lines) this.#take(line);
  }

  #take(line: string): void {
    this.emit("line", line);
    const parsed = message.safeParse(parseJson(line));
    if (!parsed.success) {
      this.strangeLines += 1;
    } else if (parsed.data.method !== undefined) {
      this.#told(parsed.data.method, parsed.data.params ?? []);
    } else {
      this.#answered(parsed.data);
    }
  }

  #told(method: string, params: readonly unknown[]): void {
    if (method === "mining.set_difficulty") {
      const told = z.number().positive().safeParse(params[0]);
      if (!told.success) {
        this.#strange();
        return;
      }
      this.difficulty = told.data;
      this.emit("difficulty", told.data);
    } else if (method === "mining.notify") {
      const told = notifyParams.safeParse(params);
      if (!told.success) {
        this.#strange();
        return;
      }
      this.work = this.#decodeWork(told.data);
      this.emit("work", this.work);
    }
  }

  #strange(): void {
    this.strangeLines += 1;
  }

  #decodeWork(params: readonly unknown[]): Work {
    const [jobId, previousHash, coinbase1, coinbase2, branches, version, bits, time, clean] =
      notifyParams.parse(params);
    const { difficulty } = this;
    return { jobId, previousHash, coinbase1, coinbase2, branches, version, bits, time, clean, difficulty };
  }

  #answered(reply: z.output<typeof message>): void {
    const question = typeof reply.id === "number" ? this.#questions.get(reply.id) : undefined;
    if (!question) {
      this.strangeLines += 1;
      return;
    }
    this.#questions.delete(reply.id as number);
    const refused = errorReply.safeParse(reply.error);
    if (refused.success) question.reject(new StratumError(refused.data[0], refused.data[1]));
    else question.resolve(reply.result);
  }

  #ended(cause: Error | undefined): void {
    this.closed = true;
    const error = new Error("the pool's connection ended", { cause });
    for (const question of this.#questions.values()) question.reject(error);
    this.#questions.clear();
    this.emit("close", cause);
  }
}

function parseJson(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
