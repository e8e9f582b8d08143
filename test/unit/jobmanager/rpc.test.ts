import { brotliCompressSync, gzipSync } from "node:zlib";
// out-rpc over a stand-in for a daemon: what the real one cannot be asked to do.

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, expect, test } from "@jest/globals";
import { z } from "zod";
import { DaemonRpc, RpcError, type RpcOptions } from "../../../services/jobmanager/out-rpc.js";
import { atEnd } from "../../kit/cleanup.js";
import { startDaemonStandIn } from "../../kit/daemon-stand-in.js";
import { freePort } from "../../kit/ports.js";

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "headframe-rpc-"));
  atEnd(() => rm(directory, { recursive: true }));
});

function client(url: string, more: Partial<RpcOptions> = {}): DaemonRpc {
  const rpc = new DaemonRpc({ name: "d", url, timeoutMs: 2_000, user: "u", password: "p", ...more });
  atEnd(() => rpc.close());
  return rpc;
}

const count = (rpc: DaemonRpc): Promise<number> => rpc.call("getblockcount", [], z.number());
const failure = async (rpc: DaemonRpc): Promise<RpcError> => {
  const error: unknown = await count(rpc).catch((reason: unknown) => reason);
  if (error instanceof RpcError) return error;
  throw new Error(`expected a failure, got ${String(error)}`);
};

/** A server that takes one user and password only, and may close its connections when it likes. */
async function startGuarded(expected: () => string) {
  const seen: string[] = [];
  const server = createServer((request, response) => {
    const [, encoded = ""] = request.headers.authorization?.split(" ") ?? [];
    const said = Buffer.from(encoded, "base64").toString();
    seen.push(said);
    request.resume().on("end", () => {
      if (said === expected()) response.end(JSON.stringify({ result: 7, error: null }));
      else response.writeHead(401).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  atEnd(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, seen, server };
}

test("a daemon that restarted with a new cookie is asked again with that one", async () => {
  const cookieFile = join(directory, "cookie");
  let cookie = "__cookie__:one";
  await writeFile(cookieFile, cookie);
  const { url, seen } = await startGuarded(() => cookie);
  const rpc = client(url, { user: undefined, password: undefined, cookieFile });
  expect(await count(rpc)).toBe(7);
  cookie = "__cookie__:two";
  await writeFile(cookieFile, `${cookie}\n`);
  expect(await count(rpc)).toBe(7);
  expect(seen).toEqual(["__cookie__:one", "__cookie__:one", "__cookie__:two"]);
});

test("a password may stand in a file", async () => {
  const passwordFile = join(directory, "password");
  await writeFile(passwordFile, "sesame\n");
  const { url } = await startGuarded(() => "u:sesame");
  expect(await count(client(url, { password: undefined, passwordFile }))).toBe(7);
});

test("a connection that the daemon closed while it stood idle costs nothing", async () => {
  const { url, server } = await startGuarded(() => "u:p");
  const rpc = client(url);
  for (let i = 0; i < 3; i++) {
    expect(await count(rpc)).toBe(7);
    server.closeAllConnections();
  }
});

test("a failure says which of five things happened, and what it means for the daemon", async () => {
  const stand = await startDaemonStandIn(() => ({ error: { code: -28, message: "Loading block index..." } }));
  const rpc = client(stand.url, { timeoutMs: 200 });
  expect(await failure(rpc)).toMatchObject({ code: "RPC", rpcCode: -28, state: "down" });
  stand.say(() => ({ error: { code: -8, message: "no" } }));
  expect(await failure(rpc)).toMatchObject({ code: "RPC", rpcCode: -8, state: "refused" });
  stand.say(() => ({ status: 401, raw: "" }));
  expect(await failure(rpc)).toMatchObject({ code: "UNAUTHORISED", state: "refused" });
  stand.say(() => ({ status: 403, raw: "" }));
  expect((await failure(rpc)).message).toMatch(/-rpcallowip/);
  stand.say(() => ({ result: "seven" }));
  expect(await failure(rpc)).toMatchObject({ code: "NONSENSE", state: "refused" });
  stand.say(() => "silence");
  expect(await failure(rpc)).toMatchObject({ code: "TIMEOUT", state: "refused" });
  const nobody = client(`http://127.0.0.1:${await freePort()}/`);
  expect(await failure(nobody)).toMatchObject({ code: "UNREACHABLE", state: "down" });
});

test("an aborted call ends at once with the reason it was given", async () => {
  const stand = await startDaemonStandIn(() => "silence");
  const abort = new AbortController();
  const call = client(stand.url).call("getblockcount", [], z.number(), { signal: abort.signal, timeoutMs: 0 });
  abort.abort(new Error("enough"));
  await expect(call).rejects.toThrow("enough");
});

test("an answer without end is cut off", async () => {
  const server = createServer((_, response) => {
    const flood = (): void => {
      while (!response.destroyed && response.write(Buffer.alloc(1_048_576, 0x20)));
    };
    response.on("drain", flood);
    flood();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  atEnd(() => {
    server.closeAllConnections();
    server.close();
  });
  const rpc = client(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`, { timeoutMs: 20_000 });
  expect((await failure(rpc)).message).toMatch(/with more than \d+ bytes/);
});

test("R5 a byte-order mark, a compressed answer and an error of JSON-RPC 2.0 are read as what they are", async () => {
  const said = JSON.stringify({ result: 7, error: null, id: 1 });
  const answers: [Record<string, string>, Buffer][] = [
    [{}, Buffer.from(`\ufeff${said}`)],
    [{ "content-encoding": "gzip" }, gzipSync(said)],
    [{ "content-encoding": "br" }, brotliCompressSync(said)],
    [{}, Buffer.from(JSON.stringify({ jsonrpc: "2.0", error: { code: -10, message: "in initial sync" }, id: 1 }))],
    [{}, Buffer.from(JSON.stringify({ jsonrpc: "2.0", id: 1 }))],
    [{ "content-encoding": "gzip" }, gzipSync(Buffer.alloc(80 * 1_048_576, 0x20))],
  ];
  const server = createServer((_, response) => {
    const [headers, body] = answers.shift() ?? [{}, Buffer.alloc(0)];
    response.writeHead(200, headers).end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  atEnd(() => {
    server.closeAllConnections();
    server.close();
  });
  const rpc = client(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`, { timeoutMs: 20_000 });
  const ask = () => rpc.call("getblockcount", [], z.number());
  expect([await ask(), await ask(), await ask()]).toEqual([7, 7, 7]);
  expect(await failure(rpc)).toMatchObject({ code: "RPC", rpcCode: -10 });
  expect((await failure(rpc)).message).toMatch(/neither a result nor an error/);
  expect((await failure(rpc)).message).toMatch(/with more than \d+ bytes/);
});
