// What holds between processes when somebody says too much, too fast, or nonsense.

import { expect, test } from "@jest/globals";
import { curveKeyPair } from "zeromq";
import { z } from "zod";
import {
  type Client,
  defineContract,
  type Instance,
  type Metrics,
  method,
  push,
  quiet,
} from "../../../lib/wiring/index.js";
import { KIND } from "../../../lib/wiring/rpc/frames.js";
import { until } from "../../kit/until.js";
import { listen } from "./conformance-pushes.js";
import { contract, type Mill } from "./mill.js";
import { rawPeer } from "./raw-peer.js";
import { failureOf, openMill, openWorld } from "./world.js";

/** Waits for so many. @returns the first. */
async function ready(client: Client<Mill>, count: number): Promise<Instance> {
  await client.ready(2_000, count);
  return client.instances()[0] as Instance;
}

const KIB = 1_024;
const pad = "x".repeat(KIB);

test("W3 requests beyond the queue are refused with OVERLOADED at once, and those within it are all served", async () => {
  const world = await openWorld("remote", { windowBytes: 4 * KIB, requestQueueBytes: 16 * KIB });
  const mill = await openMill(world.host);
  const client = world.caller.client(contract);
  await client.ready(2_000);
  const { id } = mill.hosted.instance;
  const calls = Array.from({ length: 60 }, () => client.call("echo", { text: pad }, { to: id }));
  const results = await Promise.allSettled(calls);
  const refused = results.filter((result) => result.status === "rejected");
  for (const { reason } of refused) expect(reason).toMatchObject({ code: "OVERLOADED", sent: false });
  expect(results.length - refused.length).toBeGreaterThanOrEqual(18);
  expect(refused.length).toBeGreaterThan(20);
  expect(await client.call("echo", { text: "later" })).toEqual({ text: "later" });
});

test("W1 a request that is aborted while it waits for the window is never sent", async () => {
  const world = await openWorld("remote", { windowBytes: 4 * KIB });
  const mill = await openMill(world.host);
  const client = world.caller.client(contract);
  await client.ready(2_000);
  const calls = Array.from({ length: 10 }, () => client.call("echo", { text: pad }));
  const controller = new AbortController();
  const late = client.call("act", 1, { signal: controller.signal });
  controller.abort(); // In the same tick: it was still waiting.
  expect(await failureOf(late)).toMatchObject({ code: "CANCELLED" });
  await Promise.all(calls);
  expect(mill.begun).toEqual([]);
});

test("W3 requests beyond the room in work are refused by the far side with OVERLOADED", async () => {
  const world = await openWorld("remote", { workMax: 2 });
  const mill = await openMill(world.host);
  const client = world.caller.client(contract);
  const { id } = mill.hosted.instance;
  await client.ready(2_000);
  const calls = [1, 2].map((n) => client.call("hold", n, { to: id }));
  await until("both are held", 2_000, () => mill.held.length === 2);
  expect(await failureOf(client.call("hold", 3, { to: id }))).toMatchObject({ code: "OVERLOADED", sent: false });
  for (const held of mill.held) held.answer(held.request);
  expect(await Promise.all(calls)).toEqual([1, 2]);
  expect(await client.call("echo", { text: "room" }, { to: id })).toEqual({ text: "room" });
});

test("W3, J2 a slow subscriber sees a gap and then the snapshot, and the publisher's memory does not grow", async () => {
  const world = await openWorld("remote", { windowBytes: 8 * KIB, pushQueueBytes: 16 * KIB });
  let newest = 0;
  const mill = await openMill(world.host, { snapshots: { flour: () => [{ sack: newest }] } });
  const { seen } = listen(world.caller.client(contract));
  await until("it is joined", 2_000, () => seen.length === 2);
  const taken: boolean[] = [];
  for (newest = 1; newest <= 200; newest += 1) {
    taken.push(mill.hosted.pushTo(world.caller.peer, "flour", { sack: newest, pad }));
  }
  newest = 200;
  const kept = taken.indexOf(false);
  expect(kept).toBeGreaterThan(10);
  expect(kept).toBeLessThan(30);
  expect(taken.lastIndexOf(true)).toBe(kept - 1);
  await until("the hole is mended", 2_000, () => seen.at(-1) === "200@s"); // Without any push after the hole.
  mill.hosted.push("flour", { sack: 201 });
  await until("the stream goes on", 2_000, () => seen.at(-1) === "201@201");
  const stream = Array.from({ length: kept }, (_, i) => `${i + 1}@${i + 1}`);
  expect(seen).toEqual(["join", "0@s", ...stream, `gap ${kept + 1}-201`, "200@s", "201@201"]);
});

test("P3 pushes that outgrow their bound during a snapshot are a gap after it: the snapshot is finished, then another one follows", async () => {
  const world = await openWorld("remote", { windowBytes: 8 * KIB, pushQueueBytes: 16 * KIB });
  const stock = Array.from({ length: 300 }, (_, sack) => ({ sack, pad }));
  let taken = 0;
  const snapshot = () => {
    taken += 1;
    return taken === 1 ? stock : [{ sack: 1_000 }];
  };
  const mill = await openMill(world.host, {
    snapshots: { flour: snapshot },
    onSubscribe: () =>
      setImmediate(() => {
        for (const sack of stock.slice(0, 50)) mill.hosted.push("flour", sack);
      }),
  });
  const { seen } = listen(world.caller.client(contract));
  await until("the second snapshot is there", 5_000, () => seen.at(-1) === "1000@s");
  mill.hosted.push("flour", { sack: 51 });
  await until("the stream goes on", 2_000, () => seen.at(-1) === "51@51");
  expect(seen).toEqual(["join", ...stock.map(({ sack }) => `${sack}@s`), "gap 1-51", "1000@s", "51@51"]);
});

test("a message of a snapshot that cannot be sent is left out and reported, and the others arrive", async () => {
  const said: string[] = [];
  const world = await openWorld("remote", { messageBytesMax: 8 * KIB });
  const host = await world.open({
    log: Object.assign(Object.create(quiet), { error: (_: object, text: string) => said.push(text) }),
  });
  const odd = Object.defineProperty({ sack: 3 }, "pad", { enumerable: true, get: () => new Map() });
  const stock = [{ sack: 1 }, { sack: 2, pad: "x".repeat(9 * KIB) }, odd, { sack: 4 }];
  await openMill(host, { snapshots: { flour: () => stock } });
  const { seen } = listen(world.caller.client(contract));
  await until("the last one is there", 2_000, () => seen.at(-1) === "4@s");
  expect(seen).toEqual(["join", "1@s", "4@s"]);
  expect(said).toEqual(["a message of a snapshot cannot be sent and is left out"]);
});

test("a subscription beyond what an instance takes of one process is refused by name", async () => {
  const world = await openWorld("remote", { peerSubscriptionsMax: 2 });
  await openMill(world.host);
  const client = world.caller.client(contract);
  const refused: string[] = [];
  const subscribe = () =>
    client.subscribe("dust", { onMessage() {}, onRefused: (_from, { code }) => refused.push(code) });
  const [first] = [subscribe(), subscribe(), subscribe()];
  await until("one is refused", 2_000, () => refused.length === 1);
  expect(refused).toEqual(["OVERLOADED"]);
  first?.close();
  let joined = false;
  client.subscribe("dust", { onMessage() {}, onJoin: () => (joined = true) });
  await until("there is room again", 2_000, () => joined);
});

test("names of an instance that has left are free again, and too many are refused with OVERLOADED", async () => {
  const world = await openWorld("remote", { namesMax: 3 });
  const client = world.caller.client(contract);
  const stays = await openMill(world.host); // Its process stays, and so does the link.
  await client.call("echo", { text: "the first name" }, { to: (await ready(client, 1)).id });
  for (let round = 0; round < 10; round += 1) {
    const mill = await openMill(world.host);
    const to = mill.hosted.instance.id;
    await until("it is there", 2_000, () => client.instances().some(({ id }) => id === to));
    expect(await client.call("echo", { text: "again" }, { to })).toEqual({ text: "again" });
    await mill.hosted.close();
    await until("it has left", 2_000, () => client.instances().length === 1);
  }
  const to = stays.hosted.instance.id;
  await client.call("act", 1, { to });
  const [held] = [client.call("hold", 1, { to }), await until("it is held", 2_000, () => stays.held[0])];
  stays.held[0]?.answer(1);
  await held;
  const failure = await failureOf(client.call("once", 1, { to }));
  expect(failure).toMatchObject({ code: "OVERLOADED", sent: false });
  expect(failure.message).toContain("namesMax");
});

test("W5 handlers that hang after their callers gave up hold their room for a while, not for ever", async () => {
  const world = await openWorld("remote", { workMax: 2, givenUpMs: 300 });
  const mill = await openMill(world.host);
  const client = world.caller.client(contract);
  const { id } = await ready(client, 1);
  const hung = [1, 2].map((n) => failureOf(client.call("hold", n, { to: id, timeoutMs: 100 })));
  expect(await Promise.all(hung)).toMatchObject([{ code: "TIMEOUT" }, { code: "TIMEOUT" }]);
  expect(await failureOf(client.call("echo", { text: "at once" }, { to: id }))).toMatchObject({ code: "OVERLOADED" });
  await until("there is room", 3_000, () =>
    client.call("echo", { text: "later" }, { to: id }).then(
      () => true,
      () => false,
    ),
  );
  for (const { answer, request } of mill.held) answer(request); // Late: neither is counted twice.
  const calls = [3, 4].map((n) => client.call("hold", n, { to: id }));
  await until("both are held", 2_000, () => mill.held.length === 4);
  expect(await failureOf(client.call("hold", 5, { to: id }))).toMatchObject({ code: "OVERLOADED" });
  for (const { answer, request } of mill.held) answer(request);
  expect(await Promise.all(calls)).toEqual([3, 4]);
});

test("a message that one subscriber can never take is a hole for it, and the stream goes on", async () => {
  const world = await openWorld("remote", { messageBytesMax: 8 * KIB });
  const mill = await openMill(world.host);
  const { seen } = listen(world.caller.client(contract));
  await until("it is joined", 2_000, () => seen.length === 1);
  mill.hosted.push("flour", { sack: 1 });
  mill.hosted.push("flour", { sack: 2, pad: "x".repeat(9 * KIB) });
  mill.hosted.push("flour", { sack: 3 });
  await until("the third is there", 2_000, () => seen.at(-1) === "3@3");
  expect(seen).toEqual(["join", "1@1", "gap 2-3", "3@3"]);
});

test("requests and replies that are too large fail alone, by name", async () => {
  const world = await openWorld("remote", { messageBytesMax: 4 * KIB, windowBytes: 2 * KIB });
  const mill = await openMill(world.host);
  const client = world.caller.client(contract);
  await client.ready(2_000);
  const large = "x".repeat(5 * KIB);
  expect(await failureOf(client.call("echo", { text: large }))).toMatchObject({ code: "INVALID_REQUEST", sent: false });
  mill.act = () => large;
  expect(await failureOf(client.call("act", 1))).toMatchObject({ code: "REMOTE", sent: true });
  const fits = "x".repeat(3 * KIB); // Larger than the window, and still one at a time.
  expect(await Promise.all([1, 2, 3].map(() => client.call("echo", { text: fits })))).toHaveLength(3);
});

test("what does not fit the contract is refused at the door it comes to", async () => {
  const world = await openWorld("remote");
  const mill = await openMill(world.host);
  mill.act = () => "no number";
  const newer = defineContract({
    service: "mill",
    methods: {
      act: method({ request: z.unknown(), reply: z.number(), idempotent: true }),
      sift: method({ request: z.null(), reply: z.null(), idempotent: true }),
    },
    pushes: { flour: push(z.object({ sack: z.string() })), bran: push(z.null()) },
  });
  const client = world.caller.client(newer);
  await client.ready(2_000);
  const request = await failureOf(client.call("act", "one"));
  expect(request).toMatchObject({ code: "INVALID_REQUEST", sent: false });
  expect(request.message).toContain("expected number, received string");
  expect(await failureOf(client.call("act", 1))).toMatchObject({ code: "INVALID_REPLY", sent: true });
  const { id } = mill.hosted.instance;
  expect(await failureOf(client.call("sift", null, { to: id }))).toMatchObject({ code: "NO_METHOD", sent: false });
  const gaps: unknown[] = [];
  client.subscribe("flour", { onMessage: () => gaps.push("never"), onGap: (_from, hole) => gaps.push(hole) });
  await until("it is subscribed", 2_000, () => mill.hosted.subscribers("flour").length === 1);
  mill.hosted.push("flour", { sack: 1 });
  await until("the message is a hole", 2_000, () => gaps.length === 1);
  expect(gaps).toEqual([{ expected: 1, received: 2 }]);
});

test("garbage is counted and dropped; a stranger is sent away; nobody else notices", async () => {
  const counts: Record<string, number> = {};
  const metrics: Metrics = {
    count: (name, by = 1) => {
      counts[name] = (counts[name] ?? 0) + by;
    },
    gauge() {},
    timing() {},
    async close() {},
  };
  const world = await openWorld("remote");
  const host = await world.open({ metrics });
  const mill = await openMill(host);
  const client = world.caller.client(contract);
  await client.ready(2_000);
  const { socket, frame, kinds, enter } = rawPeer(mill.hosted.instance.endpoint);
  await socket.send("GET / HTTP/1.1");
  await socket.send(["two", "parts"]);
  await socket.send(frame([KIND.request, 1, 1, 1_000, "?"]));
  expect(await kinds()).toEqual([`${KIND.goodbye} say hello first`]);
  await socket.send(frame([KIND.hello, 0, 1, 65_536, "stranger"]));
  expect((await kinds())[0]).toContain("protocol 1 is not spoken here");
  await enter();
  await socket.send(Buffer.alloc(40, 0xff));
  await socket.send(
    frame(
      [KIND.request, 7, 3, 1_000, "junk"],
      [200, 1, 2, 3, "from a later version"],
      [KIND.credit, 0, 0xffff_ffff, 9, ""],
    ),
  );
  expect((await kinds())[0]).toContain("NO_INSTANCE");
  await socket.send(
    frame([KIND.name, 3, 0, 0, `${mill.hosted.instance.id}\nact`], [KIND.request, 8, 3, 1_000, "\xc1"]),
  );
  expect((await kinds())[0]).toContain("INVALID_REQUEST");
  await socket.send(
    frame([KIND.request, 9, 3, 0, "\x01"], [KIND.subscribe, 1, 0, 0, "nobody\nflour"], [KIND.ping, 0, 0, 0, ""]),
  );
  expect((await kinds()).join()).toContain("EXPIRED");
  expect(await client.call("echo", { text: "unharmed" })).toEqual({ text: "unharmed" });
  expect(mill.begun).toEqual([]);
  await host.close();
  expect(counts["wiring.malformed"]).toBe(3);
});

test("with CURVE keys calls are encrypted, and a nexus without keys keeps away", async () => {
  const world = await openWorld("remote");
  const keys = () => ({ curve: curveKeyPair() });
  const [host, caller] = [await world.open(keys()), await world.open(keys())];
  const mill = await openMill(host);
  expect(mill.hosted.instance.curveKey).toHaveLength(40);
  expect(await caller.client(contract).call("echo", { text: "secret" })).toEqual({ text: "secret" });
  expect(await failureOf(world.caller.client(contract).call("act", 1, { timeoutMs: 100 }))).toMatchObject({
    code: "NO_INSTANCE",
  });
});
