// The doors for clients, with real clients: TLS, PROXY headers of a balancer in front, limits per address.

import { X509Certificate } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { expect, test } from "@jest/globals";
import { selfSignedPem } from "../kit/certificate.js";
import { atEnd } from "../kit/cleanup.js";
import { type FrontDoor, type FrontDoorOptions, startFrontDoor } from "../kit/front-door.js";
import { startKeeper, startLineBackend } from "../kit/keeper.js";
import { LineClient } from "../kit/line-client.js";
import { startRedis } from "../kit/redis.js";
import { until } from "../kit/until.js";

/** A client that cannot be one is closed "at once": long before any time-out of HAProxy's (5 s). */
const AT_ONCE_MS = 1_500;
const SERVED = { neverBan: ["127.0.0.1"] };

async function line(listeners: FrontDoorOptions["listeners"], edge = {}) {
  const redis = await startRedis();
  await startLineBackend(redis);
  const keeper = await startKeeper({ redis, edge });
  const door = await startFrontDoor(redis, { listeners, settings: { bans: SERVED } });
  return { keeper, door };
}

async function certificate() {
  const folder = await mkdtemp(join(tmpdir(), "hf-pem-"));
  atEnd(() => rm(folder, { recursive: true, force: true }));
  const pem = join(folder, "door.pem");
  const renew = async () => {
    const text = selfSignedPem();
    await writeFile(pem, text, { mode: 0o600 });
    return new X509Certificate(text).fingerprint256;
  };
  return { pem, renew, first: await renew() };
}

/** Speaks TLS; resolves when the handshake is done. */
async function tlsClient(
  door: FrontDoor,
  listener: string,
): Promise<{ socket: TLSSocket; ask(text: string): Promise<string> }> {
  const socket = connectTls({ host: "127.0.0.1", port: door.port(listener), rejectUnauthorized: false });
  atEnd(() => socket.destroy());
  let heard = "";
  socket.on("data", (chunk: Buffer) => {
    heard += chunk;
  });
  await new Promise((resolve, reject) => socket.once("secureConnect", resolve).once("error", reject));
  const ask = async (text: string) => {
    heard = "";
    socket.write(`${text}\n`);
    await until(`${text} is answered`, 5_000, () => heard.endsWith("\n"));
    return heard.trim();
  };
  return { socket, ask };
}

async function closedAtOnce(client: LineClient): Promise<void> {
  await until("it is closed", AT_ONCE_MS, () => client.closed);
  expect(client.lines).toEqual([]);
}

const who = async (client: LineClient): Promise<Record<string, unknown>> => JSON.parse(await client.ask("{who}"));

test("a miner over TLS is served, and the backend knows; a plain port closes a TLS hello at once, a TLS port plain text", async () => {
  const { pem } = await certificate();
  const { door } = await line([{ name: "plain" }, { name: "secret", tls: { pem } }]);
  const secret = await tlsClient(door, "secret");
  expect(JSON.parse(await secret.ask("{who}"))).toMatchObject({
    listener: "secret",
    secure: true,
    remoteAddress: "127.0.0.1",
  });
  const plain = await LineClient.connect(door.port("plain"));
  expect(await who(plain)).toMatchObject({ listener: "plain", secure: false });

  await expect(tlsClient(door, "plain")).rejects.toThrow();
  const wrong = await LineClient.connect(door.port("secret"));
  wrong.send('{"id":1,"method":"mining.subscribe","params":[]}');
  await until("plain text on the TLS port is closed", AT_ONCE_MS, () => wrong.closed);
}, 60_000);

test("a renewed certificate counts from a reload on, and who came by the old one stays", async () => {
  const { pem, renew, first } = await certificate();
  const { door } = await line([{ name: "secret", tls: { pem } }]);
  const early = await tlsClient(door, "secret");
  expect(early.socket.getPeerCertificate().fingerprint256).toBe(first);
  const second = await renew();
  await door.client.call("reload", {});
  const late = await tlsClient(door, "secret");
  expect(late.socket.getPeerCertificate().fingerprint256).toBe(second);
  expect(await early.ask("{still}")).toBe("{STILL}#1");
}, 60_000);

const V2_START = Buffer.from("\r\n\r\n\0\r\nQUIT\n", "latin1");
/** Section 2.2 of the PROXY protocol: command PROXY, TCP over IPv4. */
function proxyV2(address: string, port: number): Buffer {
  const body = Buffer.alloc(12);
  body.set(address.split(".").map(Number), 0);
  body.set([10, 0, 0, 1], 4);
  body.writeUInt16BE(port, 8);
  body.writeUInt16BE(3_333, 10);
  return Buffer.concat([V2_START, Buffer.from([0x21, 0x11, 0, body.length]), body]);
}
const proxyV1 = (family: string, address: string, port: number) => {
  const own = family === "TCP6" ? "2001:db8::1" : "10.0.0.1";
  return Buffer.from(`PROXY ${family} ${address} ${own} ${port} 3333\r\n`);
};

test.each([
  ["version 1, IPv4", proxyV1("TCP4", "203.0.113.7", 4_444), "203.0.113.7"],
  ["version 1, IPv6", proxyV1("TCP6", "2001:db8::7", 4_444), "2001:db8::7"],
  ["version 2, IPv4", proxyV2("203.0.113.8", 4_444), "203.0.113.8"],
])(
  "the address that a balancer in front tells (%s) is the one that the backend sees",
  async (_which, header, remoteAddress) => {
    const { door } = await line([{ name: "behind", acceptProxy: true }]);
    const client = await LineClient.connect(door.port("behind"));
    client.send(header);
    expect(await who(client)).toMatchObject({ remoteAddress, remotePort: 4_444, listener: "behind", secure: false });
  },
  60_000,
);

test("behind a balancer, bans and limits are for the client's own address; without a header, or from elsewhere, nobody comes in", async () => {
  const { door } = await line([
    { name: "behind", acceptProxy: true, connectionsPerAddress: 2, acceptProxyFrom: ["127.0.0.1", "10.0.0.0/8"] },
  ]);
  const come = async (address: string, localAddress = "127.0.0.1") => {
    const options = { host: "127.0.0.1", port: door.port("behind"), localAddress };
    const client = await LineClient.connect(options).catch(() => undefined); // Refused so early that connecting fails.
    if (!client) return false;
    client.send(Buffer.concat([proxyV2(address, 1), Buffer.from("{in}\n")]));
    await until("it is answered or closed", 5_000, () => client.closed || client.lines.length > 0);
    return client.lines.length > 0;
  };
  await door.client.call("ban", { address: "203.0.113.7", reason: "operator" });
  expect([await come("203.0.113.7"), await come("203.0.113.8"), await come("203.0.113.8")]).toEqual([
    false,
    true,
    true,
  ]);
  expect([await come("203.0.113.8"), await come("203.0.113.9")]).toEqual([false, true]); // Two are in already.

  expect(await come("203.0.113.10", "127.0.0.2")).toBe(false);
  const bare = await LineClient.connect(door.port("behind"));
  bare.send("{no header}");
  await closedAtOnce(bare);
}, 60_000);

test("of IPv6 a /64 is one client: it has the connections of one address, and is banned and let in as a whole", async () => {
  const { door } = await line([{ name: "behind", acceptProxy: true, connectionsPerAddress: 2 }]);
  const come = async (address: string) => {
    const client = await LineClient.connect(door.port("behind"));
    client.send(Buffer.concat([proxyV1("TCP6", address, 4_444), Buffer.from("{in}\n")]));
    await until("it is answered or closed", 5_000, () => client.closed || client.lines.length > 0);
    return client.lines.length > 0;
  };
  for (const [address, isServed] of [
    ["2001:db8:1:2::1", true],
    ["2001:db8:1:2:ffff::2", true],
    ["2001:db8:1:2::3", false],
    ["2001:db8:1:3::1", true],
  ] as const)
    expect([address, await come(address)]).toEqual([address, isServed]);
  await door.client.call("ban", { address: "2001:db8:1:3::7", reason: "operator" });
  expect([await come("2001:db8:1:3::8"), await come("2001:db8:1:4::8")]).toEqual([false, true]);
  await door.client.call("unban", { address: "2001:db8:1:3::9" });
  expect(await come("2001:db8:1:3::8")).toBe(true);
}, 60_000);

test("a PROXY header from somebody whom the edge does not trust names nobody: it is a client's line", async () => {
  const { keeper } = await line([{ name: "plain" }]);
  const liar = await LineClient.connect(keeper.port); // Straight to the keeper, around HAProxy.
  liar.send(proxyV1("TCP4", "203.0.113.7", 4_444));
  expect(await liar.line("its header is answered as a line")).toMatch(/^PROXY TCP4 203\.0\.113\.7/);
  expect(await who(liar)).toMatchObject({ remoteAddress: "127.0.0.1" });
}, 60_000);

test("an edge that trusts a range believes its PROXY headers, and demands them", async () => {
  const { keeper } = await line([{ name: "plain" }], { trustedProxies: ["unix", "127.0.0.0/8"] });
  const told = await LineClient.connect(keeper.port);
  told.send(proxyV1("TCP4", "203.0.113.7", 4_444));
  expect(await who(told)).toMatchObject({ remoteAddress: "203.0.113.7", remotePort: 4_444 });
  const bare = await LineClient.connect(keeper.port);
  bare.send("{no header}");
  await closedAtOnce(bare);
}, 60_000);

test("one address gets so many new connections in ten seconds, and another one its own", async () => {
  const { door } = await line([{ name: "plain", newPer10sPerAddress: 5 }]);
  const answered = async (localAddress: string) => {
    const client = await LineClient.connect({ host: "127.0.0.1", port: door.port("plain"), localAddress }).catch(
      () => undefined,
    );
    client?.send("{in}");
    await until("it is answered or closed", 5_000, () => !client || client.closed || client.lines.length > 0);
    return client?.lines.length === 1;
  };
  const served: boolean[] = [];
  for (let i = 0; i < 8; i++) served.push(await answered("127.0.0.2"));
  expect(served).toEqual([true, true, true, true, true, false, false, false]);
  expect(await answered("127.0.0.3")).toBe(true);
}, 60_000);
