// STAND-IN: a coin daemon whose templates have as many transactions as a real chain's, and that says to the millisecond when one had
// left it.
//
//   advance() --> every long poll is answered with a new tip --> jobmanager

import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { machineMs } from "../push/contender.js";

/** Difficulty 1: no block is found by chance. */
const BITS = "1d00ffff";
const CHAIN = "regtest";
const HEIGHT_FIRST = 1_000;
const CURTIME_BACK_S = 3_600;
/** A usual transaction with two inputs and two outputs. */
const TRANSACTION_BYTES = 250;
const KEPT_MS = 600_000;

interface Asked {
  readonly method: string;
  readonly params?: readonly { readonly longpollid?: unknown }[];
}

export class BenchDaemon {
  #height = HEIGHT_FIRST;
  #transactions: readonly object[] = [];
  readonly #polls = new Set<ServerResponse>();
  #answeredMs: (ms: number) => void = () => {};

  private constructor(private readonly server: Server) {
    server.keepAliveTimeout = KEPT_MS;
    server.on("request", (request, response) => this.#asked(request, response));
  }

  static async open(): Promise<BenchDaemon> {
    const server = createServer();
    const daemon = new BenchDaemon(server);
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return daemon;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}/`;
  }

  /** Transactions of every template from now on. */
  set transactions(count: number) {
    this.#transactions = Array.from({ length: count }, (_, i) => {
      const data = createHash("sha256")
        .update(`data ${i}`)
        .digest("hex")
        .repeat(8)
        .slice(0, 2 * TRANSACTION_BYTES);
      const txid = createHash("sha256").update(`transaction ${i}`).digest("hex");
      return { data, txid, hash: txid };
    });
  }

  /** A new tip. Resolves with when the last byte of its template was written, on the machine's clock. */
  advance(): Promise<number> {
    if (this.#polls.size === 0) throw new Error("nobody waits for a new tip");
    this.#height += 1;
    return new Promise((resolve) => {
      this.#answeredMs = resolve;
      const body = this.#template();
      for (const response of this.#polls) say(response, body, () => this.#answeredMs(machineMs()));
      this.#polls.clear();
    });
  }

  get waiting(): number {
    return this.#polls.size;
  }

  async close(): Promise<void> {
    const closed = once(this.server, "close");
    this.server.close();
    this.server.closeAllConnections();
    await closed;
  }

  get #tip(): string {
    return createHash("sha256").update(`bench ${this.#height}`).digest("hex");
  }

  #asked(request: IncomingMessage, response: ServerResponse): void {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const { method, params } = JSON.parse(Buffer.concat(chunks).toString()) as Asked;
      if (method === "getblockchaininfo") say(response, { chain: CHAIN, blocks: this.#height });
      else if (method === "getbestblockhash") say(response, this.#tip);
      else if (method !== "getblocktemplate") say(response, undefined);
      else if (params?.[0]?.longpollid === this.#tip) {
        this.#polls.add(response);
        response.once("close", () => this.#polls.delete(response));
      } else say(response, this.#template());
    });
  }

  #template(): object {
    const now = Math.floor(Date.now() / 1_000);
    return {
      ...{ version: 0x2000_0000, rules: ["csv", "!segwit"], transactions: this.#transactions, coinbaseaux: {} },
      ...{ coinbasevalue: 625_000_000, bits: BITS, mintime: now - CURTIME_BACK_S, curtime: now },
      ...{ previousblockhash: this.#tip, longpollid: this.#tip, height: this.#height + 1 },
    };
  }
}

function say(response: ServerResponse, result: unknown, written?: () => void): void {
  const unknown = { result: null, error: { code: -32_601, message: "Method not found" } };
  const body = Buffer.from(JSON.stringify({ id: 1, ...(result === undefined ? unknown : { result, error: null }) }));
  response.writeHead(result === undefined ? 500 : 200, { "content-length": body.length }).end(body, written);
}
