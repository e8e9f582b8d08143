// STAND-IN: two coin daemons of one chain that nobody can find a block of, with a new tip every few seconds. They answer what a
// jobmanager asks (getblockchaininfo, getbestblockhash, getblocktemplate with long poll) and die, freeze and come back on demand.
//
//   Chain (height, tip) -> DaemonStandIn x 2 --JSON-RPC over HTTP--> jobmanager

import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** Difficulty 1: four billion hashes a block, and clients make some ten million at most. */
const BITS = "1d00ffff";
const CHAIN = "regtest";
const HEIGHT_FIRST = 1_000;
const CURTIME_BACK_S = 3_600;

/** The tip that all daemons agree on. */
export class Chain {
  #height = HEIGHT_FIRST;
  readonly #listeners = new Set<() => void>();

  get height(): number {
    return this.#height;
  }

  get tip(): string {
    return createHash("sha256").update(`chaos ${this.#height}`).digest("hex");
  }

  advance(): void {
    this.#height += 1;
    for (const listener of this.#listeners) listener();
  }

  onTip(listener: () => void): void {
    this.#listeners.add(listener);
  }
}

export class DaemonStandIn {
  #server: Server | undefined;
  #port = 0;
  #frozen = false;
  readonly #polls = new Set<ServerResponse>();

  private constructor(
    private readonly chain: Chain,
    private readonly host: string,
  ) {
    chain.onTip(() => this.#release());
  }

  /** @param host Where it listens. */
  static async open(chain: Chain, host: string): Promise<DaemonStandIn> {
    const daemon = new DaemonStandIn(chain, host);
    await daemon.start();
    return daemon;
  }

  get url(): string {
    return `http://${this.host}:${this.#port}/`;
  }

  /** Again on the port that it had. */
  async start(): Promise<void> {
    const server = createServer((request, response) => this.#asked(request, response));
    this.#server = server;
    server.listen(this.#port, this.host);
    await once(server, "listening");
    this.#port = (server.address() as AddressInfo).port;
  }

  close(): Promise<void> {
    return this.stop();
  }

  /** As if it were killed: connections break, nobody listens. */
  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    this.#polls.clear();
    if (!server) return;
    const closed = once(server, "close");
    server.close();
    server.closeAllConnections();
    await closed;
  }

  /** True: it takes questions and does not answer. What it was asked meanwhile stays unanswered. */
  freeze(frozen: boolean): void {
    this.#frozen = frozen;
  }

  #asked(request: IncomingMessage, response: ServerResponse): void {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      if (this.#frozen) return;
      const { method, params } = JSON.parse(Buffer.concat(chunks).toString()) as Asked;
      const [{ longpollid } = {}] = (params ?? []) as [{ longpollid?: unknown }?];
      if (method !== "getblocktemplate" || longpollid !== this.chain.tip) say(response, this.#answer(method));
      else this.#hold(response);
    });
  }

  #hold(response: ServerResponse): void {
    this.#polls.add(response);
    response.once("close", () => this.#polls.delete(response));
  }

  #release(): void {
    if (this.#frozen) return;
    for (const response of this.#polls) say(response, this.#answer("getblocktemplate"));
    this.#polls.clear();
  }

  #answer(method: string): unknown {
    if (method === "getblockchaininfo") return { chain: CHAIN, blocks: this.chain.height };
    if (method === "getbestblockhash") return this.chain.tip;
    return method === "getblocktemplate" ? this.#template() : undefined;
  }

  #template(): object {
    const now = Math.floor(Date.now() / 1_000);
    return {
      ...{ version: 0x2000_0000, rules: ["csv", "!segwit"], transactions: [], coinbaseaux: {} },
      ...{ coinbasevalue: 5_000_000_000, bits: BITS, mintime: now - CURTIME_BACK_S, curtime: now },
      ...{ previousblockhash: this.chain.tip, longpollid: this.chain.tip, height: this.chain.height + 1 },
    };
  }
}

interface Asked {
  readonly method: string;
  readonly params?: readonly unknown[];
}

function say(response: ServerResponse, result: unknown): void {
  const body =
    result === undefined
      ? { result: null, error: { code: -32_601, message: "Method not found" } }
      : { result, error: null };
  response.writeHead(result === undefined ? 500 : 200).end(JSON.stringify({ id: 1, ...body }));
}

/** The coin of these daemons, for a jobmanager's settings. A hash that is cheap to check leaves the processors to the pool. */
export const STAND_IN_COIN = {
  name: "chaos",
  proofOfWork: "sha256d",
  rules: ["segwit"],
  chain: CHAIN,
  address: { publicKeyHash: [111] },
};
