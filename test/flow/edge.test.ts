import { spawn } from "node:child_process";
import { existsSync, statSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { expect, test } from "@jest/globals";
import type { ClientEvent, KeeperEvent } from "../../lib/contracts/index.js";
import { answeredUpTo, askers } from "../kit/asker.js";
import { atEnd } from "../kit/cleanup.js";
import { openTestHouse } from "../kit/house.js";
import { EDGE_PROGRAM, startKeeper, startLineBackend } from "../kit/keeper.js";
import { LineBackend } from "../kit/line-backend.js";
import { LineClient } from "../kit/line-client.js";
import { startRedis } from "../kit/redis.js";
import { until } from "../kit/until.js";

test("a backend killed -9 under load: nobody is disconnected, every line is answered exactly once", async () => {
  const redis = await startRedis();
  const [first, second] = await Promise.all([startLineBackend(redis), startLineBackend(redis)]);
  const keeper = await startKeeper({ redis });
  const clients = await askers(keeper.port, 20);
  for (const client of clients) client.start(5);
  await until("the load runs", 10_000, () => clients.every(({ client }) => client.lines.length > 20));
  await first.end("SIGKILL");
  await until("clients go on", 5_000, () => answeredUpTo(clients, 20));
  const third = await startLineBackend(redis);
  await second.end("SIGTERM");
  await until("all are answered by the third", 5_000, () => answeredUpTo(clients, 5));
  await Promise.all(clients.map((client) => client.stop()));
  for (const client of clients) client.expectAllOnce();
  expect(third.child.exitCode).toBeNull();
}, 60_000);

test("C2 an edge killed -9 disconnects nobody, and the next one has each client's newest state", async () => {
  const redis = await startRedis();
  const house = await openTestHouse(redis);
  await LineBackend.host(house.nexus);
  const keeper = await startKeeper({ redis });
  const clients = await askers(keeper.port, 20);
  for (const { client } of clients) expect(await client.ask("{one}")).toBe("{ONE}#1");
  process.kill(keeper.edgePid, "SIGKILL");
  await keeper.edgeReady(1);
  for (const { client } of clients) {
    expect(await client.ask("{two}")).toBe("{TWO}#2");
    expect(JSON.parse(await client.ask("{who}"))).toMatchObject({ adopted: true, listener: "direct" });
    expect(client.closed).toBe(false);
  }
}, 60_000);

test("a planned hand-over to a new edge under load loses no line: every one is answered exactly once, the state goes along", async () => {
  const redis = await startRedis();
  await Promise.all([startLineBackend(redis), startLineBackend(redis)]);
  const keeper = await startKeeper({ redis, edge: { handoverSlice: 7 } });
  const clients = await askers(keeper.port, 30);
  for (const client of clients) client.start(3);
  await until("the load runs", 10_000, () => clients.every(({ client }) => client.lines.length > 20));
  keeper.child.kill("SIGHUP");
  await until("the old edge has ended", 15_000, () =>
    keeper.log.some((line) => line.msg === "edge ended" && line.epoch === 0),
  );
  const { epoch, edgePid } = keeper;
  process.kill(edgePid, "SIGTERM"); // An edge that is asked to end hands over by itself.
  await until("its successor serves alone", 15_000, () =>
    keeper.log.some((line) => line.msg === "edge ended" && line.epoch === epoch),
  );
  await until("clients go on", 5_000, () => answeredUpTo(clients, 10));
  await Promise.all(clients.map((client) => client.stop()));
  for (const client of clients) client.expectAllOnce();
  expect(keeper.log.filter(({ msg }) => msg === "edge ready")).toHaveLength(3);
}, 60_000);

test("J3 what a client was sent last goes with it to the next backend, and to the next edge of a planned hand-over", async () => {
  const redis = await startRedis();
  const house = await openTestHouse(redis);
  const backend = await LineBackend.host(house.nexus);
  const keeper = await startKeeper({ redis });
  const [alone, joined] = await Promise.all([LineClient.connect(keeper.port), LineClient.connect(keeper.port)]);
  await alone.ask("{one}");
  await joined.ask("{join all}");
  backend.broadcast("all", "news", "of the broadcast");
  await until("the broadcast has arrived", 5_000, () => joined.lines.includes("news"));
  keeper.child.kill("SIGHUP");
  await keeper.edgeReady(1);
  await until("both have moved", 10_000, async () => (await alone.ask("{who}")) !== "" && keeper.epoch === 1);
  const heard = async (client: LineClient) => (JSON.parse(await client.ask("{who}")) as { heard?: string }).heard;
  await until("the new edge has them", 10_000, async () => (await heard(joined)) === "of the broadcast");
  expect(await heard(alone)).toBeUndefined(); // It was told nothing.
}, 60_000);

test("half a line, sent before a hand-over, is the beginning of the line that is finished after it", async () => {
  const redis = await startRedis();
  const house = await openTestHouse(redis);
  await LineBackend.host(house.nexus);
  const keeper = await startKeeper({ redis });
  const client = await LineClient.connect(keeper.port);
  await client.ask("{join all}");
  client.send(Buffer.from("{the other "));
  await until("the half line was read", 2_000, async () => client.socket.writableLength === 0);
  keeper.child.kill("SIGHUP");
  await keeper.edgeReady(1);
  await until("the old edge has ended", 15_000, () => keeper.log.some((line) => line.msg === "edge ended"));
  client.send("half}");
  expect(await client.line("the second")).toBe("{THE OTHER HALF}#2");
}, 60_000);

test("what a client has not taken yet when a hand-over comes reaches it whole, before anything that the new edge says", async () => {
  const redis = await startRedis();
  const house = await openTestHouse(redis);
  const backend = await LineBackend.host(house.nexus);
  const keeper = await startKeeper({ redis, edge: { unsentBytesMax: 4_000_000, trustedProxies: [] } });
  const { path } = keeper; // Whose buffers are small.
  const quick = await LineClient.connect({ path });
  await quick.ask("{first}");
  const [slow, dead] = await Promise.all([LineClient.connect({ path }), LineClient.connect({ path })]);
  const answers = 12;
  for (const { socket } of [slow, dead]) {
    socket.pause();
    socket.write("{big 100000}\n".repeat(answers));
  }
  const heard = (kind: ClientEvent["kind"]) => backend.heard.filter((event) => event.kind === kind);
  await until("all was answered", 5_000, () => heard("line").length === 2 * answers + 1);
  keeper.child.kill("SIGHUP");
  await until("the one that reads is the new edge's", 5_000, () => heard("open").length > 3);
  slow.send("{after}");
  slow.socket.resume();
  await until("all was heard", 15_000, () => slow.lines.length === answers + 1);
  expect(slow.lines.slice(0, -1).map((line) => line.length)).toEqual(Array(answers).fill(100_000));
  expect(slow.lines.at(-1)).toBe(`{AFTER}#${answers + 1}`);
  const gone = () => backend.heard.some((event) => event.kind === "close" && event.reason === "limit");
  await until("the one that never reads is closed", 15_000, gone);
  await until("the hand-over is done", 5_000, () => keeper.log.some(({ msg }) => msg === "hand-over done"));
}, 60_000);

test("with no backend at all, clients and lines wait for one", async () => {
  const redis = await startRedis();
  const backend = await startLineBackend(redis);
  const keeper = await startKeeper({ redis });
  const client = await LineClient.connect(keeper.port);
  expect(await client.ask("{one}")).toBe("{ONE}#1");
  await backend.end("SIGKILL");
  client.send("{two}");
  const late = await LineClient.connect(keeper.port);
  late.send("{late}");
  await startLineBackend(redis);
  expect(await client.line("the held line is answered", 5_000)).toBe("{TWO}#2");
  expect(await late.line("the late client is answered", 5_000)).toBe("{LATE}#1");
}, 60_000);

test("a reader too slow is closed, and the others are served on", async () => {
  const redis = await startRedis();
  const house = await openTestHouse(redis);
  const backend = await LineBackend.host(house.nexus);
  const keeper = await startKeeper({ redis, edge: { unsentBytesMax: 100_000 } });
  const [slow, quick] = await Promise.all([LineClient.connect(keeper.port), LineClient.connect(keeper.port)]);
  await Promise.all([slow.ask("{join all}"), quick.ask("{join all}")]);
  slow.socket.pause();
  const text = "x".repeat(50_000);
  const gone = () => backend.heard.some((event) => event.kind === "close" && event.reason === "limit");
  let sent = 0;
  await until("the slow one is closed", 10_000, () => {
    backend.broadcast("all", text);
    sent++;
    return gone();
  });
  await until("the quick one has everything", 10_000, () => quick.lines.length === sent + 1);
  quick.send("{after}");
  await until("it is answered", 5_000, () => quick.lines.at(-1) === "{AFTER}#2");
  expect(quick.closed).toBe(false);
}, 60_000);

test("a megabyte without a newline is closed politely: the answer before it arrives, then a goodbye", async () => {
  const redis = await startRedis();
  const house = await openTestHouse(redis);
  const backend = await LineBackend.host(house.nexus);
  const keeper = await startKeeper({ redis });
  const [rude, other] = await Promise.all([LineClient.connect(keeper.port), LineClient.connect(keeper.port)]);
  expect(await rude.ask("{one}")).toBe("{ONE}#1");
  rude.send(Buffer.alloc(1_048_576, 0x7b));
  await until("it is closed", 5_000, () => rude.closed);
  expect(rude.lines).toEqual(["{ONE}#1"]);
  expect(rude.broken).toBe(false);
  await until("the backend knows", 2_000, () =>
    backend.heard.some((event) => event.kind === "close" && event.reason === "limit"),
  );
  expect(await other.ask("{two}")).toBe("{TWO}#1");
}, 60_000);

test("a client with too many unanswered lines is not read from, until some are answered", async () => {
  const redis = await startRedis();
  const house = await openTestHouse(redis);
  const backend = await LineBackend.host(house.nexus, { delayMs: 20 });
  const keeper = await startKeeper({ redis, edge: { unacknowledgedLinesMax: 4 } });
  const client = await LineClient.connect(keeper.port);
  const lines = Array.from({ length: 200 }, (_, i) => `{${i + 1}}`);
  client.send(lines.join("\n"));
  let most = 0;
  await until("all are answered", 15_000, () => {
    const heard = backend.heard.filter(({ kind }) => kind === "line").length;
    most = Math.max(most, heard - client.lines.length);
    return client.lines.length === lines.length;
  });
  expect(client.lines).toEqual(lines.map((line, i) => `${line}#${i + 1}`));
  expect(most).toBeLessThanOrEqual(12); // Four at a time, and what is on its way back to the client.
}, 60_000);

test("a client that says its last line and half-closes still gets its answer", async () => {
  const redis = await startRedis();
  const house = await openTestHouse(redis);
  const backend = await LineBackend.host(house.nexus, { delayMs: 50 });
  const keeper = await startKeeper({ redis });
  const client = await LineClient.connect({ host: "127.0.0.1", port: keeper.port, allowHalfOpen: true });
  client.socket.end("{last}\n");
  expect(await client.line("the answer")).toBe("{LAST}#1");
  await until("it is closed", 5_000, () => client.closed);
  await until("the backend knows", 2_000, () => backend.connections === 0);
}, 60_000);

test("a backend may close a client, whose last answer still arrives", async () => {
  const redis = await startRedis();
  const house = await openTestHouse(redis);
  const backend = await LineBackend.host(house.nexus);
  const keeper = await startKeeper({ redis });
  const client = await LineClient.connect(keeper.port);
  expect(await client.ask("{bye}")).toBe("goodbye");
  await until("it is closed", 5_000, () => client.closed);
  expect(client.broken).toBe(false);
  await until("the backend knows", 2_000, () =>
    backend.heard.some((event) => event.kind === "close" && event.reason === "asked"),
  );
}, 60_000);

test("the keeper's SIGTERM ends its clients, its edge and its socket file", async () => {
  const redis = await startRedis();
  const keeper = await startKeeper({ redis });
  const client = await LineClient.connect(keeper.port);
  const { edgePid } = keeper;
  expect(await keeper.stop()).toBe(0);
  await until("the client is told", 2_000, () => client.closed);
  expect(existsSync(keeper.path)).toBe(false);
  expect(() => process.kill(edgePid, 0)).toThrow("ESRCH");
}, 60_000);

test("a keeper killed -9 leaves no edge behind; the next one takes over its socket file, and a third is refused it", async () => {
  const redis = await startRedis();
  const house = await openTestHouse(redis);
  await LineBackend.host(house.nexus);
  const first = await startKeeper({ redis });
  const { edgePid, path } = first;
  await first.stop("SIGKILL");
  await until("its edge has ended", 10_000, () => {
    try {
      return !process.kill(edgePid, 0);
    } catch {
      return true;
    }
  });
  expect(existsSync(path)).toBe(true);
  const second = await startKeeper({ redis, path });
  expect(statSync(path).mode & 0o777).toBe(0o600);
  await expect(startKeeper({ redis, path })).rejects.toThrow("another process listens there");
  const client = await LineClient.connect(second.port);
  expect(await client.ask("{one}")).toBe("{ONE}#1");
}, 60_000);

test("C2 an edge whose setting names no backend does not take over: the old one serves every client on, and the log says why", async () => {
  const redis = await startRedis();
  const house = await openTestHouse(redis);
  await LineBackend.host(house.nexus);
  const folder = await mkdtemp(join(tmpdir(), "headframe-edge-"));
  atEnd(() => rm(folder, { recursive: true, force: true }));
  const settings = (backend: string) => writeFile(join(folder, "edge.json"), JSON.stringify({ backend }));
  await settings("lines");
  const script = `exec ${process.execPath} ${EDGE_PROGRAM} ${redis.url} test "$(cat ${folder}/edge.json)"`;
  const keeper = await startKeeper({ redis, command: ["sh", "-c", script] });
  const client = await LineClient.connect(keeper.port);
  expect(await client.ask("{one}")).toBe("{ONE}#1");
  await settings("limes");
  keeper.child.kill("SIGHUP");
  const said = (msg: KeeperEvent) => keeper.log.some((line) => line.msg === msg);
  await until("the new edge is held back", 15_000, () =>
    said("a new edge is ready and reaches no backend, as the old one does: the old one serves on"),
  );
  expect(await client.ask("{two}")).toBe("{TWO}#2");
  await until("it is given up", 25_000, () =>
    said("hand-over failed: the new edge ended before it was ready; the old one stays"),
  );
  expect(keeper.epoch).toBe(0);
  expect(await client.ask("{three}")).toBe("{THREE}#3");
}, 60_000);

test.each([
  ["before it listens to it", 0],
  ["while it loads", 300],
])(
  "an edge whose keeper is gone %s ends by itself",
  async (_when, ms) => {
    const redis = await startRedis();
    const edge = spawn(process.execPath, [EDGE_PROGRAM, redis.url, "test", JSON.stringify({ backend: "lines" })], {
      env: { ...process.env, HEADFRAME_EDGE_EPOCH: "0" },
      stdio: ["ignore", "ignore", "inherit", "ipc"],
      serialization: "advanced",
    });
    atEnd(async () => void edge.kill("SIGKILL"));
    await delay(ms);
    edge.disconnect();
    await until("it has ended", 15_000, () => edge.exitCode !== null || edge.signalCode !== null);
    expect(edge.signalCode).not.toBe("SIGKILL");
  },
  60_000,
);
