// STAND-IN: an HTTP server that pretends to be a coin daemon, for what the real one does not do on demand: answer nonsense, be
// slow, be of another chain, announce blocks by ZeroMQ (Debian's litecoind is built without it).

import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { atEnd, type Keep } from "./cleanup.js";

/** result, error: JSON-RPC. raw: these bytes. silence: no answer, ever. */
export type Said =
  | { readonly result: unknown }
  | { readonly error: { readonly code: number; readonly message: string } }
  | { readonly status: number; readonly raw: string }
  | "silence";

export type Answers = (method: string, params: readonly unknown[]) => Said;

/** A regtest litecoind at height 1 with an empty mempool and no long poll, as a table of answers to build on. */
export const plainAnswers: Readonly<Record<string, unknown>> = {
  getblockchaininfo: { chain: "regtest", blocks: 1 },
  getblockhash: "530827f38f93b43ed12af0b3ad25a288dc02ed74d6d7857862df51fc56c416f9",
  getbestblockhash: "11".repeat(32),
  getblocktemplate: {
    version: 0x2000_0000,
    rules: ["csv", "!segwit"],
    previousblockhash: "11".repeat(32),
    transactions: [],
    coinbaseaux: {},
    coinbasevalue: 5_000_000_000,
    target: `7fffff${"00".repeat(29)}`,
    mintime: 1_700_000_000,
    curtime: 1_700_000_100,
    bits: "207fffff",
    height: 2,
    default_witness_commitment: `6a24aa21a9ed${"22".repeat(32)}`,
  },
};

export const fromTable =
  (table: Readonly<Record<string, unknown>>): Answers =>
  (method) =>
    method in table ? { result: table[method] } : { error: { code: -32_601, message: "Method not found" } };

export interface DaemonStandIn {
  readonly url: string;
  /** Changes what it says from now on. */
  say(answers: Answers): void;
  /** Methods it was asked, in order. */
  readonly asked: readonly string[];
}

/** Gone with the test, or the file. */
export async function startDaemonStandIn(first: Answers, keep?: Keep): Promise<DaemonStandIn> {
  let answers = first;
  const asked: string[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const { method, params } = JSON.parse(Buffer.concat(chunks).toString()) as { method: string; params: unknown[] };
      asked.push(method);
      reply(response, answers(method, params));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  atEnd(() => stop(server), keep);
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/`,
    asked,
    say: (next) => {
      answers = next;
    },
  };
}

function reply(response: ServerResponse, said: Said): void {
  if (said === "silence") return;
  if ("raw" in said) {
    response.writeHead(said.status).end(said.raw);
    return;
  }
  response.writeHead("error" in said ? 500 : 200).end(JSON.stringify({ result: null, error: null, id: 1, ...said }));
}

async function stop(server: Server): Promise<void> {
  const closed = new Promise((resolve) => server.close(resolve));
  server.closeAllConnections();
  await closed;
}
