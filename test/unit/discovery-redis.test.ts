// Discovery over a real Redis: who is there is seen at once, who died is gone in time, and an absent Redis empties nothing.

import { fork } from "node:child_process";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { hostname } from "node:os";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "@jest/globals";
import { Redis } from "ioredis";
import { processMark, seenHere } from "../../lib/process-mark.js";
import { Registry, type RegistryOptions } from "../../lib/wiring/discovery/registry.js";
import { type Instance, type InstanceChanges, instance, type Registration } from "../../lib/wiring/index.js";
import { atEnd } from "../kit/cleanup.js";
import { type RedisServer, startRedis } from "../kit/redis.js";
import { until } from "../kit/until.js";

const TIMES = { everyMs: 150, ttlMs: 1_000, pollMs: 300 };
/** What a loaded machine may add to a promised time. */
const SLACK_MS = 1_000;

function open(redis: RedisServer, options: Partial<RegistryOptions> = {}): Registry {
  const registry = Registry.open({ redis: redis.client(), cluster: "test", ...TIMES, ...options });
  atEnd(() => registry.close());
  return registry;
}

function edge(id: string, more: Partial<Instance> = {}): Instance {
  const plain = { service: "edge", id, host: "h1", pid: 42, endpoint: "tcp://127.0.0.1:9", startedAt: 1, version: "1" };
  return instance.parse({ ...plain, state: "ready", meta: { color: "red", "odd name": "ü" }, ...more });
}

function look(registry: Registry, service = "edge"): { now: readonly Instance[]; changes: number } {
  const seen: { now: readonly Instance[]; changes: number } = { now: [], changes: -1 };
  registry.watch(service, (instances) => {
    seen.now = instances;
    seen.changes += 1;
  });
  return seen;
}

const ids = (seen: { now: readonly Instance[] }) => seen.now.map(({ id }) => id as string).sort();

async function startHeart(redis: RedisServer, id: string) {
  const program = fileURLToPath(new URL("../kit/programs/heart.js", import.meta.url));
  const args = [redis.url, "test", "edge", id, String(TIMES.everyMs), String(TIMES.ttlMs)];
  const child = fork(program, args, { execArgv: [] });
  atEnd(() => child.kill("SIGKILL"));
  await once(child, "message");
  return child;
}

describe("seeing each other", () => {
  test("an instance is seen by everyone as it registered, at once, and by those who look later", async () => {
    const redis = await startRedis();
    const early = look(open(redis, { pollMs: 60_000 }));
    const mine = open(redis);
    await until(
      "the watcher listens",
      2_000,
      async () => (await redis.client().pubsub("NUMSUB", "hf:{test}:discovery"))[1] === 2,
    );
    const registered = edge("edge-1");
    await mine.register(registered);
    await until("the early watcher sees it without polling", 1_000, () => early.now.length === 1);
    expect(early.now[0]).toEqual(registered);
    const late = look(open(redis));
    await until("the late watcher sees it", 1_000, () => late.now.length === 1);
    expect(late.now[0]).toEqual(registered);
    expect(await mine.list()).toEqual([registered]);
  });

  test("beats change nothing that a watcher would be told", async () => {
    const redis = await startRedis();
    const registry = open(redis);
    const seen = look(registry);
    await registry.register(edge("edge-1"));
    await until("it is seen", 2_000, () => seen.now.length === 1);
    const before = seen.changes;
    await until("five beats have passed", 5_000, async () => (await beats(redis)) >= 5);
    expect(seen.changes).toBe(before);
  });

  test("a change of state or fields reaches watchers at once, and meta is replaced as a whole", async () => {
    const redis = await startRedis();
    const watcher = open(redis);
    const seen = look(watcher);
    const registration = await open(redis).register(edge("edge-1"));
    await until("it is seen", 2_000, () => seen.now.length === 1);
    await update(registration, { state: "draining" });
    await until("draining is seen", 1_000, () => seen.now[0]?.state === "draining");
    await update(registration, { meta: { port: "3333" } });
    await until("the new fields are seen", 1_000, () => seen.now[0]?.meta.port === "3333");
    expect(seen.now[0]?.meta).toEqual({ port: "3333" });
    expect((await watcher.list("edge"))[0]?.meta).toEqual({ port: "3333" });
  });

  test("a watcher that stopped is not told, and a closed registry tells nobody", async () => {
    const redis = await startRedis();
    const registry = open(redis);
    let told = 0;
    const stop = registry.watch("edge", () => {
      told += 1;
    });
    const other = look(registry);
    stop();
    const before = told;
    await open(redis).register(edge("edge-1"));
    await until("the other watcher sees it", 1_000, () => other.now.length === 1);
    expect(told).toBe(before);
  });

  test("installations that share one Redis do not see each other", async () => {
    const redis = await startRedis();
    await open(redis, { cluster: "one" }).register(edge("edge-1"));
    expect(await open(redis, { cluster: "two" }).list()).toEqual([]);
  });
});

describe("leaving", () => {
  test("who withdraws is gone at once, and nothing of it stays in Redis but its grave", async () => {
    const redis = await startRedis();
    const registry = open(redis);
    const seen = look(open(redis));
    const registration = await registry.register(edge("edge-1"));
    await until("it is seen", 2_000, () => seen.now.length === 1);
    await registration.withdraw();
    await until("it is gone", 1_000, () => seen.now.length === 0);
    await registration.withdraw();
    expect((await redis.client().keys("*:instance*")).filter((key) => !key.includes("gone"))).toEqual([]);
  });

  test("a beat that is under way when its instance withdraws does not bring it back", async () => {
    const redis = await startRedis();
    const registry = open(redis, { everyMs: 2 });
    for (let round = 0; round < 20; round++) {
      const registration = await registry.register(edge(`edge-${round}`));
      void registration.update({ meta: { round: String(round) } });
      await registration.withdraw();
      void registration.update({ state: "ready" });
    }
    expect(await registry.list()).toEqual([]);
  });

  test("a process killed with -9 leaves discovery within one ttl", async () => {
    const redis = await startRedis();
    const seen = look(open(redis));
    const child = await startHeart(redis, "edge-heart");
    await until("it is seen", 2_000, () => seen.now.length === 1);
    child.kill("SIGKILL");
    await until("it is gone", TIMES.ttlMs + SLACK_MS, () => seen.now.length === 0);
  });

  test("a process that stood still longer than its life is dropped, and listed again once it goes on", async () => {
    const redis = await startRedis();
    const seen = look(open(redis));
    const child = await startHeart(redis, "edge-heart");
    await until("it is seen", 2_000, () => seen.now.length === 1);
    child.kill("SIGSTOP");
    await until("it is gone", TIMES.ttlMs + SLACK_MS, () => seen.now.length === 0);
    child.kill("SIGCONT");
    await until("it is back", TIMES.everyMs + SLACK_MS, () => seen.now.length === 1);
  });

  test("a death certificate removes exactly the dead process' instances, at once", async () => {
    const redis = await startRedis();
    const seen = look(open(redis, { ttlMs: 60_000 }));
    const registry = open(redis, { ttlMs: 60_000 });
    await registry.register(edge("edge-1", { pid: 7, process: "boot/ns/7/100" }));
    await registry.register(edge("edge-2", { pid: 7, process: "boot/ns/7/100" }));
    await registry.register(edge("edge-3", { pid: 8, process: "boot/ns/8/100" }));
    const removed = await until("all are seen", 1_000, () => seen.now.length === 3).then(() =>
      open(redis).certifyDeath("boot/ns/7/100"),
    );
    expect(removed.map(({ id }) => id as string).sort()).toEqual(["edge-1", "edge-2"]);
    await until("they are gone", 1_000, () => seen.now.length === 1);
    expect(ids(seen)).toEqual(["edge-3"]);
    await until("a few beats of the certified have passed", 5_000, async () => (await beats(redis)) >= 3);
    expect(ids({ now: await open(redis).list() })).toEqual(["edge-3"]);
  });

  test("a death certificate spares who has the same host name and pid: in another container, another machine, or later", async () => {
    const redis = await startRedis();
    const registry = open(redis, { ttlMs: 60_000 });
    const same = { pid: 7, host: "localhost" };
    await registry.register(edge("edge-container", { ...same, process: "boot/other/7/100" }));
    await registry.register(edge("edge-machine", { ...same, process: "other/ns/7/100" }));
    await registry.register(edge("edge-later", { ...same, process: "boot/ns/7/101" }));
    await registry.register(edge("edge-unknown", same)); // A system that does not say: in doubt it lives.
    expect(await registry.certifyDeath("boot/ns/7/100")).toEqual([]);
    expect(await registry.certifyDeath(undefined)).toEqual([]);
    expect(await registry.list()).toHaveLength(4);
  });

  test("a process' mark is its own for its whole life, and another one's is another; one that is gone has none", async () => {
    const redis = await startRedis();
    const child = await startHeart(redis, "edge-heart");
    const [mine, its] = [processMark(), processMark(child.pid)];
    expect(mine).toMatch(/^[0-9a-f-]{36}\/\d+\/\d+\/\d+$/);
    expect([processMark(), processMark(process.pid)]).toEqual([mine, mine]);
    expect(its).not.toBe(mine);
    const startTicks = Number(its?.split("/").at(-1));
    child.kill("SIGKILL");
    await once(child, "exit");
    expect(processMark(child.pid)).toBeUndefined();
    expect(processMark(child.pid, startTicks)).toBe(its); // What was read while it lived.
    const elsewhere = String(mine).replace(/^[^/]+/, "another-boot");
    const host = hostname();
    expect([mine, its, elsewhere, undefined].map((process) => seenHere({ process, host }))).toEqual([
      true,
      true,
      false,
      true,
    ]);
    expect(seenHere({ host: "h2" })).toBe(false);
  });
});

/** Between a client and its Redis: swallows subscriptions while it is told to. */
async function startDeafProxy(targetPort: number) {
  const sockets = new Set<Socket>();
  const server = createServer((near) => {
    const far = connect(targetPort, "127.0.0.1");
    for (const socket of [near, far]) sockets.add(socket.on("error", () => {}));
    far.pipe(near);
    near.on("data", (chunk) => {
      const swallow = state.toSubscribers && /\bsubscribe\b/i.test(chunk.toString("latin1"));
      if (swallow) state.swallowed += 1;
      else far.write(chunk);
    });
    near.on("close", () => far.destroy());
    far.on("close", () => near.destroy());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const cut = () => {
    for (const socket of sockets) socket.destroy();
    sockets.clear();
  };
  atEnd(() => {
    cut();
    server.close();
  });
  const state = { toSubscribers: false, swallowed: 0, port: (server.address() as AddressInfo).port, cut };
  return state;
}

describe("Redis away", () => {
  test("W4 the last known instances are kept while Redis is gone, and after it came back empty until they had time to return", async () => {
    const redis = await startRedis();
    const registry = open(redis);
    const seen = look(open(redis));
    await registry.register(edge("edge-1"));
    const child = await startHeart(redis, "edge-heart");
    await until("both are seen", 2_000, () => seen.now.length === 2);
    const lists: string[][] = [];
    const recording = open(redis);
    await recording.list();
    recording.watch("edge", (instances) => void lists.push(instances.map(({ id }) => id as string).sort()));
    await until("the recorder sees both", 1_000, () => lists.at(-1)?.length === 2);
    const before = lists.length;

    await redis.stop();
    child.kill("SIGKILL");
    await new Promise((resolve) => setTimeout(resolve, TIMES.ttlMs * 1.5)); // Longer than any life: that is the point.
    expect(ids(seen)).toEqual(["edge-1", "edge-heart"]);
    expect(lists.length).toBe(before);

    await redis.start();
    await until(
      "the living one is back in Redis",
      3_000,
      async () => (await redis.client().exists("hf:{test}:instance:edge:edge-1")) === 1,
    );
    await until("the dead one is dropped", 5_000, () => seen.now.length === 1);
    expect(ids(seen)).toEqual(["edge-1"]);
    await until("the recorder drops it too", 5_000, () => lists.length > before);
    expect(lists.slice(before)).toEqual([["edge-1"]]);
  });

  test("a Redis that freezes empties no list, and beats do not pile up", async () => {
    const redis = await startRedis();
    const registry = open(redis);
    const seen = look(registry);
    await registry.register(edge("edge-1"));
    await until("it is seen", 2_000, () => seen.now.length === 1);
    redis.freeze();
    await new Promise((resolve) => setTimeout(resolve, TIMES.ttlMs * 1.5));
    expect(ids(seen)).toEqual(["edge-1"]);
    redis.thaw();
    await until("it beats again", 5_000, async () => (await redis.client().pttl("hf:{test}:instance:edge:edge-1")) > 0);
    expect(ids(seen)).toEqual(["edge-1"]);
  });

  test("a Redis that stands still when a listener comes back to it ends no process, and the listener hears again", async () => {
    const redis = await startRedis();
    const deaf = await startDeafProxy(redis.port);
    const rejected: unknown[] = [];
    const onRejected = (reason: unknown) => void rejected.push(reason);
    process.on("unhandledRejection", onRejected);
    atEnd(() => process.off("unhandledRejection", onRejected));
    const through = new Redis({ port: deaf.port, host: "127.0.0.1", lazyConnect: true }); // Only its options are used.
    const listening = async () => (await redis.client().pubsub("NUMSUB", "hf:{test}:discovery"))[1] === 1;
    const registry = Registry.open({ redis: through, cluster: "test", ...TIMES, pollMs: 60_000 });
    atEnd(() => registry.close());
    const seen = look(registry);
    await until("it listens", 2_000, listening);

    deaf.toSubscribers = true;
    deaf.cut();
    await until("two subscriptions got no answer in time", 10_000, () => deaf.swallowed >= 2);
    deaf.toSubscribers = false;
    await until("it listens again", 5_000, listening);
    await open(redis).register(edge("edge-1"));
    await until("it hears", 1_000, () => seen.now.length === 1);
    expect(rejected).toEqual([]);
  });

  /** Without a heartbeat of its own: its life ends by itself. */
  const shortLived = async (redis: RedisServer, id: string, lifeMs: number) => {
    const mortal = open(redis, { everyMs: 60_000, ttlMs: lifeMs });
    await mortal.register(edge(id));
  };

  test("G1 who was missed while Redis was away has a ttl from its return to be there again", async () => {
    const redis = await startRedis();
    const seen = look(open(redis, { ttlMs: 3_000, pollMs: 100 }));
    await shortLived(redis, "edge-late", 500);
    await until("it is seen", 2_000, () => seen.now.length === 1);
    await redis.stop();
    const gone = performance.now();
    await until("its life is over", 2_000, () => performance.now() - gone > 700);
    await redis.start();
    await open(redis).register(edge("edge-new"));
    await until("Redis is read again", 5_000, () => ids(seen).includes("edge-new"));
    const back = performance.now();
    await until("it was read several times", 2_000, () => performance.now() - back > 1_000);
    expect(ids(seen)).toEqual(["edge-late", "edge-new"]);
    await until("it is dropped in the end", 6_000, () => ids(seen).join() === "edge-new");
  });

  test("a clock of Redis' that is set back by an hour keeps nobody listed for longer than a minute, and the living as before", async () => {
    const redis = await startRedis();
    const admin = redis.client();
    await shortLived(redis, "edge-dead", 5_000);
    await open(redis).register(edge("edge-alive"));
    const [index, hash] = ["hf:{test}:instances:edge", "hf:{test}:instance:edge:edge-dead"];
    await admin.zadd(index, Date.now() + 3_600_000, "edge-dead"); // As both stand after the clock was set back.
    await admin.pexpire(hash, 3_600_000);
    const seen = look(open(redis));
    await until("both are seen", 2_000, () => seen.now.length === 2);
    expect(Number(await admin.zscore(index, "edge-dead")) - Date.now()).toBeLessThanOrEqual(60_000);
    expect(await admin.pttl(hash)).toBeLessThanOrEqual(60_000);
    const beaten = Number(await admin.zscore(index, "edge-alive"));
    await until("the living one beats on", 2_000, async () => Number(await admin.zscore(index, "edge-alive")) > beaten);
    expect(beaten - Date.now()).toBeLessThanOrEqual(TIMES.ttlMs);
  });

  test("G2 another Redis in the place of the one that was known is not trusted for a ttl", async () => {
    const redis = await startRedis();
    const seen = look(open(redis, { ttlMs: 3_000, pollMs: 100 }));
    await shortLived(redis, "edge-late", 500);
    await until("it is seen", 2_000, () => seen.now.length === 1);
    await redis.client().flushall(); // As a replica that had heard of nothing yet: the connection stays.
    await open(redis).register(edge("edge-new"));
    await until("Redis is read again", 5_000, () => ids(seen).includes("edge-new"));
    const back = performance.now();
    await until("it was read several times, and its life is over", 2_000, () => performance.now() - back > 1_000);
    expect(ids(seen)).toEqual(["edge-late", "edge-new"]);
    await until("it is dropped in the end", 6_000, () => ids(seen).join() === "edge-new");
  });

  test("W4 an emptied Redis drops nobody who lives", async () => {
    const redis = await startRedis();
    const registry = open(redis);
    const seen = look(open(redis));
    await registry.register(edge("edge-1"));
    await until("it is seen", 2_000, () => seen.now.length === 1);
    const before = seen.changes;
    await redis.client().flushall();
    await until("it has registered again", 2_000, async () => (await beats(redis)) >= 3);
    await new Promise((resolve) => setTimeout(resolve, TIMES.pollMs * 2));
    expect(ids(seen)).toEqual(["edge-1"]);
    expect(seen.changes).toBe(before);
  });

  test("registering without a Redis fails with the reason", async () => {
    const redis = await startRedis();
    const registry = open(redis);
    await redis.stop();
    await expect(registry.register(edge("edge-1"))).rejects.toThrow(/discovery\/beat/);
  }, 15_000);
});

describe("what it costs", () => {
  test("at rest no registration is written or read again, however many there are", async () => {
    const redis = await startRedis();
    const registries = [open(redis), open(redis)];
    const seen = registries.map((registry) => look(registry));
    for (let i = 0; i < 20; i++) await registries[i % 2]?.register(edge(`edge-${i}`));
    await until("all are seen by both", 2_000, () => seen.every(({ now }) => now.length === 20));
    await trusted();
    const costs = () => Promise.all([calls(redis, "hgetall"), beats(redis), calls(redis, "hset")]);
    const [readBefore, beatsBefore, writtenBefore] = await costs();
    await until("each has beaten five times", 5_000, async () => (await beats(redis)) >= beatsBefore + 5 * 20);
    const [read, beaten, written] = await costs();
    expect(read - readBefore).toBe(0);
    expect(written - writtenBefore).toBeLessThan((beaten - beatsBefore) / 4);
  });

  test("a change whose announcement was lost is found at the next read, and only that one is read", async () => {
    const redis = await startRedis();
    const seen = look(open(redis));
    const mine = open(redis, { everyMs: 60_000, ttlMs: 60_000 });
    for (const id of ["edge-1", "edge-2", "edge-3"]) await mine.register(edge(id));
    await until("all are seen", 2_000, () => seen.now.length === 3);
    await trusted();
    const before = await calls(redis, "hgetall");
    const client = redis.client();
    await client.hset("hf:{test}:instance:edge:edge-2", { state: "draining", revision: 2 });
    await client.zadd("hf:{test}:news:edge", await client.incr("hf:{test}:generation:edge"), "edge-2");
    const state = () => seen.now.find(({ id }) => id === "edge-2")?.state;
    await until("it is found", TIMES.pollMs + SLACK_MS, () => state() === "draining");
    expect((await calls(redis, "hgetall")) - before).toBe(1);
  });
});

describe("what others wrote", () => {
  test("who registers without telling anyone is found at the next read", async () => {
    const redis = await startRedis();
    const seen = look(open(redis));
    await open(redis).register(edge("edge-1"));
    await until("the first is seen", 2_000, () => seen.now.length === 1);
    await trusted();
    const { meta: _, ...plain } = edge("edge-2");
    const client = redis.client();
    await client.hset("hf:{test}:instance:edge:edge-2", { ...plain, revision: 1 });
    await client.zadd("hf:{test}:instances:edge", Date.now() + 60_000, "edge-2");
    await until("the second is seen", TIMES.pollMs + SLACK_MS, () => seen.now.length === 2);
  });

  test("a registration that does not fit is skipped and the others are listed", async () => {
    const redis = await startRedis();
    const counted: string[] = [];
    const metrics = {
      count: (name: string) => void counted.push(name),
      gauge() {},
      timing() {},
      async close() {},
    };
    const registry = open(redis, { metrics });
    await registry.register(edge("edge-1"));
    const client = redis.client();
    await client.hset("hf:{test}:instance:edge:edge-2", { id: "edge-2", service: "edge", pid: "minus one" });
    await client.zadd("hf:{test}:instances:edge", Date.now() + 60_000, "edge-2");
    await client.publish("hf:{test}:discovery", "{ not json");
    const seen = look(registry);
    await until("the sound one is seen", 1_000, () => seen.now.length === 1);
    expect(ids(seen)).toEqual(["edge-1"]);
    expect(counted).toContain("discovery.broken");
  });
});

async function update(registration: Registration, changes: InstanceChanges): Promise<void> {
  await registration.update(changes);
}

/** A registry that was just opened believes Redis in everything after one ttl, and has then read everything once. */
async function trusted(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, TIMES.ttlMs + 2 * TIMES.pollMs));
}

/** Beats since this Redis began: each one looks at the revision that stands there. */
async function beats(redis: RedisServer): Promise<number> {
  return calls(redis, "hget");
}

/** Calls of a command since this Redis began, those of scripts included. */
async function calls(redis: RedisServer, command: string): Promise<number> {
  const stats = await redis.client().info("commandstats");
  return Number(new RegExp(`cmdstat_${command}:calls=(\\d+)`).exec(stats)?.[1] ?? 0);
}
