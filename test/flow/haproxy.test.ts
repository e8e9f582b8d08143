import { rm, writeFile } from "node:fs/promises";
import { createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect as connectTls } from "node:tls";
import { expect, test } from "@jest/globals";
import { HaproxyRuntime, haproxyPaths } from "../../haproxy/index.js";
import { answeredUpTo, askers } from "../kit/asker.js";
import { selfSignedPem } from "../kit/certificate.js";
import { atEnd } from "../kit/cleanup.js";
import { startHaproxy } from "../kit/haproxy.js";
import { openTestHouse } from "../kit/house.js";
import { startKeeper, startLineBackend } from "../kit/keeper.js";
import { LineBackend } from "../kit/line-backend.js";
import { LineClient } from "../kit/line-client.js";
import { startRedis } from "../kit/redis.js";
import { until } from "../kit/until.js";

const PLAIN = { name: "plain" };

/** The whole way to a backend in this process. */
async function pool(options: Omit<Parameters<typeof startHaproxy>[0], "keepers">) {
  const redis = await startRedis();
  const house = await openTestHouse(redis);
  const backend = await LineBackend.host(house.nexus);
  const keeper = await startKeeper({ redis });
  const haproxy = await startHaproxy({ ...options, keepers: [keeper.path] });
  return { redis, backend, keeper, haproxy };
}

/** Refused means closed before a word, be it so early that connecting fails. */
async function untilRefused(port: number): Promise<void> {
  const client = await LineClient.connect(port).catch(() => undefined);
  await until("the connection is refused", 2_000, () => !client || client.closed);
}

test("backends and edge killed -9, HAProxy reloaded twice, all under load: nobody is disconnected, and everybody is served on", async () => {
  const redis = await startRedis();
  const [first] = await Promise.all([startLineBackend(redis), startLineBackend(redis)]);
  const keeper = await startKeeper({ redis });
  const haproxy = await startHaproxy({ listeners: [PLAIN], keepers: [keeper.path] });
  const clients = await askers(haproxy.port("plain"), 20);
  for (const client of clients) client.start(10);
  await until("the load runs", 10_000, () => clients.every(({ client }) => client.lines.length > 10));
  await haproxy.control.reload(5_000);
  await first.end("SIGKILL");
  await haproxy.control.reload(5_000);
  await until("clients go on", 5_000, () => answeredUpTo(clients, 5));
  process.kill(keeper.edgePid, "SIGKILL");
  await keeper.edgeReady(1);
  const before = clients.map(({ client }) => client.lines.length);
  await until("clients go on", 5_000, () =>
    clients.every(({ client }, i) => client.lines.length > (before[i] ?? 0) + 5),
  );
  for (const client of clients) client.quit();
  expect(clients.filter(({ client }) => client.closed)).toEqual([]);
}, 60_000);

test("the backend learns who came by which listener, with an id that stays through an edge's death", async () => {
  const pem = join(tmpdir(), `headframe-test-${process.pid}.pem`);
  await writeFile(pem, selfSignedPem(), { mode: 0o600 });
  atEnd(() => rm(pem, { force: true }));
  const { haproxy, keeper } = await pool({ listeners: [PLAIN, { name: "secret", tls: { pem } }] });
  const plain = await LineClient.connect(haproxy.port("plain"));
  const said = JSON.parse(await plain.ask("{who}"));
  expect(said).toMatchObject({ listener: "plain", remoteAddress: "127.0.0.1", secure: false, adopted: false });
  expect(said.remotePort).toBe(plain.socket.localPort);
  expect(said.connection).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);

  const tls = connectTls({ host: "127.0.0.1", port: haproxy.port("secret"), rejectUnauthorized: false });
  let heard = "";
  tls.on("data", (chunk: Buffer) => {
    heard += chunk;
  });
  tls.write("{who}\n");
  await until("the TLS client is answered", 5_000, () => heard.endsWith("\n"));
  expect(JSON.parse(heard)).toMatchObject({ listener: "secret", secure: true });
  tls.destroy();

  process.kill(keeper.edgePid, "SIGKILL");
  await keeper.edgeReady(1);
  expect(JSON.parse(await plain.ask("{who}"))).toMatchObject({
    connection: said.connection,
    listener: "plain",
    adopted: true,
  });
}, 60_000);

test("what cannot be a client is closed at the door: HTTP, a TLS hello on a plain port, silence", async () => {
  const { haproxy, backend } = await pool({ listeners: [{ ...PLAIN, firstByteMs: 300 }] });
  const [http, hello, silent] = await Promise.all(
    Array.from({ length: 3 }, () => LineClient.connect(haproxy.port("plain"))),
  );
  http?.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  hello?.send(Buffer.from("16030100050100000100", "hex"));
  await until("all three are closed", 5_000, () => http?.closed && hello?.closed && silent?.closed);
  expect([http?.lines, hello?.lines, silent?.lines]).toEqual([[], [], []]);
  expect(backend.heard).toEqual([]);
}, 60_000);

test("white space or a byte-order mark before the first request does not keep a client out", async () => {
  const { haproxy } = await pool({ listeners: [PLAIN] });
  for (const start of ["\n", "\r\n", "  ", "\t", "\ufeff", "\ufeff \t"]) {
    const client = await LineClient.connect(haproxy.port("plain"));
    expect(await client.ask(`${start}{in}`)).toContain("{IN}");
    client.end();
  }
}, 60_000);

test("one address gets as many connections as it may have, and a banned one none", async () => {
  const { haproxy } = await pool({ listeners: [{ ...PLAIN, connectionsPerAddress: 3 }] });
  const clients: LineClient[] = [];
  for (let i = 0; i < 3; i++) {
    const client = await LineClient.connect(haproxy.port("plain"));
    expect(await client.ask("{in}")).toBe("{IN}#1");
    clients.push(client);
  }
  await untilRefused(haproxy.port("plain"));
  clients.pop()?.end();
  await until("its place is free", 2_000, async () => {
    const client = await LineClient.connect(haproxy.port("plain"));
    const answer = await client.ask("{again}", 200).finally(() => client.end());
    return answer === "{AGAIN}#1";
  });
  await haproxy.control.ban("127.0.0.0/8");
  await haproxy.control.reload(5_000);
  expect(await haproxy.control.banned()).toEqual(["127.0.0.0/8"]);
  await untilRefused(haproxy.port("plain"));
  expect(await clients[0]?.ask("{still here}")).toBe("{STILL HERE}#2"); // Who is in stays.
  await haproxy.control.unban("127.0.0.0/8");
  const forgiven = await LineClient.connect(haproxy.port("plain"));
  expect(await forgiven.ask("{back}")).toBe("{BACK}#1");
}, 60_000);

test("a health check of HAProxy's is no client: no backend hears of it", async () => {
  const { haproxy, backend } = await pool({ listeners: [PLAIN] });
  const up = async () =>
    (await haproxy.control.stat()).some(
      (row) => row.svname === "keeper0" && row.status === "UP" && row.check_status === "L4OK",
    );
  await until("a check has passed", 5_000, up);
  expect(backend.heard).toEqual([]);
}, 60_000);

test("rubbish instead of a PROXY header closes that connection and no other", async () => {
  const { haproxy, keeper } = await pool({ listeners: [PLAIN] });
  const good = await LineClient.connect(haproxy.port("plain"));
  expect(await good.ask("{one}")).toBe("{ONE}#1");
  for (const rubbish of ["{no header}\n", "PROXY NONSENSE 1 2 3 4\r\n", "\r\n\r\n\0\r\nQUIT\n\xff\xff\xff\xff"]) {
    const bad = await LineClient.connect({ path: keeper.path });
    bad.send(Buffer.from(rubbish, "latin1"));
    await until("it is closed", 2_000, () => bad.closed);
    expect(bad.lines).toEqual([]);
  }
  expect(await good.ask("{two}")).toBe("{TWO}#2");
}, 60_000);

test("a configuration that HAProxy refuses says why, and leaves the one that works", async () => {
  const { haproxy } = await pool({ listeners: [PLAIN] });
  await expect(haproxy.configure({ extraGlobal: ["no-such-word 1"] })).rejects.toThrow(
    /BAD_CONFIG.*unknown keyword 'no-such-word'/,
  );
  await expect(haproxy.configure({ connectionsMax: 1_000_000 })).rejects.toThrow(/BAD_CONFIG.*open files/);
  await expect(haproxy.configure({ program: "haproxy-is-not-here" })).rejects.toThrow(/NO_PROGRAM.*install/);
  await haproxy.control.reload(5_000);
  const client = await LineClient.connect(haproxy.port("plain"));
  expect(await client.ask("{served}")).toBe("{SERVED}#1");
}, 60_000);

test("runtime commands: a refusal says why, a mute or absent HAProxy is told within the time", async () => {
  const { haproxy } = await pool({ listeners: [PLAIN] });
  const { runtime } = haproxy.control;
  await runtime.command("set weight keepers/keeper0 50%");
  expect(await runtime.command("get weight keepers/keeper0")).toEqual(["50 (initial 100)"]);
  await haproxy.control.reload(5_000);
  expect(await runtime.command("get weight keepers/keeper0")).toEqual(["50 (initial 100)"]); // Survives by the state file.
  await expect(runtime.command("set weight keepers/nobody 50%")).rejects.toThrow("No such server");
  await expect(runtime.command("make coffee")).rejects.toThrow("Unknown command");
  await expect(runtime.command("show info; show stat")).rejects.toThrow("without a semicolon");
  await expect(runtime.ban("everybody", haproxy.control.paths.banned)).rejects.toThrow("no address");

  const mutePath = join(tmpdir(), `headframe-mute-${process.pid}.sock`);
  const held: Socket[] = [];
  const mute = createServer((socket) => held.push(socket));
  await new Promise<void>((resolve) => mute.listen(mutePath, resolve));
  atEnd(() => {
    for (const socket of held) socket.destroy();
    mute.close();
  });
  await expect(new HaproxyRuntime(mutePath, 200).info()).rejects.toMatchObject({ code: "TIMEOUT" });
  await expect(new HaproxyRuntime(join(tmpdir(), "no-such.sock")).info()).rejects.toMatchObject({
    code: "NOT_RUNNING",
  });
}, 60_000);

test("a directory that is too long for unix sockets is refused with the number of bytes", () => {
  expect(() => haproxyPaths(`/tmp/${"x".repeat(100)}`)).toThrow(/\d+ bytes too long/);
});
