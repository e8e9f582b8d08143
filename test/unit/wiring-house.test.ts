// Opening a house: everything works, or one message says which Redis, for what, what happened and what to do.

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { z } from "zod";
import { maskText } from "../../lib/core/secrets.js";
import { defineContract, houseSettings, method, openHouse } from "../../lib/wiring/index.js";
import { atEnd } from "../kit/cleanup.js";
import { openTestHouse } from "../kit/house.js";
import { freePort } from "../kit/ports.js";
import { startRedis } from "../kit/redis.js";
import { until } from "../kit/until.js";

const silent = { level: "silent" } as const;

async function failure(redis: object): Promise<{ message: string; afterMs: number }> {
  const begun = performance.now();
  const settings = houseSettings.parse({ log: silent, redis: { connectTimeoutMs: 700, ...redis } });
  const error = await openHouse(settings).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(Error);
  return { message: error instanceof Error ? error.message : "", afterMs: performance.now() - begun };
}

describe("openHouse", () => {
  test("one Redis serves all three roles over one connection, and close() leaves none", async () => {
    const redis = await startRedis();
    const house = await openTestHouse(redis);
    expect(house.redis.state).toBe(house.redis.shares);
    await house.redis.state.set("a", "1");
    expect(await house.redis.shares.get("a")).toBe("1");
    await house.close();
    await house.close();
    const left = async () =>
      String(await redis.client().client("LIST"))
        .split("\n")
        .filter((line) => line.includes("headframe"));
    await until("its connections are gone", 2_000, async () => (await left()).length === 0);
  });

  test("roles may have a Redis each", async () => {
    const [all, shares] = [await startRedis(), await startRedis()];
    const plain = houseSettings.parse({ log: silent, redis: { url: all.url, shares: shares.url } });
    const house = await openHouse(plain);
    atEnd(() => house.close());
    await house.redis.shares.set("a", "1");
    expect(await house.redis.state.get("a")).toBeNull();
    expect(await house.redis.discovery.get("a")).toBeNull();
  });

  test("a wrong password is said at once, without showing it", async () => {
    const redis = await startRedis({ password: "right" });
    const { message, afterMs } = await failure({
      url: redis.url.replace("right", "wrong-secret"),
      connectTimeoutMs: 60_000,
    });
    expect(message).toContain(`at redis://:***@127.0.0.1:${redis.port}: it refuses the user or password`);
    expect(message).not.toContain("wrong-secret");
    expect(afterMs).toBeLessThan(5_000);
  });

  test("a missing password is said at once", async () => {
    const redis = await startRedis({ password: "right" });
    const { message } = await failure({ url: `redis://127.0.0.1:${redis.port}`, connectTimeoutMs: 60_000 });
    expect(message).toMatch(/it wants a password and was given none\. Put it into redis\.url or redis\.passwordFile/);
  });

  test("the password may stand in a file", async () => {
    const redis = await startRedis({ password: "p@ss/word" });
    const directory = await mkdtemp(join(tmpdir(), "headframe-house-"));
    atEnd(() => rm(directory, { recursive: true }));
    await writeFile(join(directory, "password"), "p@ss/word\n");
    const url = `redis://127.0.0.1:${redis.port}`;
    const settings = houseSettings.parse({ log: silent, redis: { url, passwordFile: join(directory, "password") } });
    const house = await openHouse(settings);
    atEnd(() => house.close());
    expect(await house.redis.state.ping()).toBe("PONG");
  });

  test("nobody listening is said after the time given, naming the role whose URL it is", async () => {
    const redis = await startRedis();
    const port = await freePort();
    const { message, afterMs } = await failure({ url: redis.url, shares: `redis://127.0.0.1:${port}` });
    expect(message).toContain(`Redis for shares at redis://127.0.0.1:${port}: nothing listens there (waited 700 ms)`);
    expect(afterMs).toBeLessThan(3_000);
  });

  test("something that accepts and never answers is said after the time given", async () => {
    const redis = await startRedis();
    redis.freeze();
    const { message, afterMs } = await failure({ url: redis.url });
    expect(message).toContain("it did not answer within 700 ms");
    expect(afterMs).toBeLessThan(5_000);
  });

  test("a database that does not exist is said at once", async () => {
    const redis = await startRedis();
    expect((await failure({ url: `${redis.url}/99` })).message).toContain("it has no database of that number");
  });

  test("a Redis that comes up within the time is waited for", async () => {
    const redis = await startRedis();
    await redis.stop();
    const opening = openTestHouse(redis);
    await redis.start();
    const house = await opening;
    expect(await house.redis.state.ping()).toBe("PONG");
  });

  test("a Redis that goes away later makes commands fail at once and is used again when it is back", async () => {
    const redis = await startRedis();
    const house = await openTestHouse(redis);
    await redis.stop();
    await expect(house.redis.state.get("a")).rejects.toThrow();
    await redis.start();
    await until("it answers again", 5_000, async () => (await house.redis.state.ping()) === "PONG");
  });
});

const echo = defineContract({
  service: "echo",
  methods: {
    say: method({ request: z.object({ text: z.string() }), reply: z.object({ text: z.string() }), idempotent: true }),
  },
  pushes: {},
});

test.each([false, true])("what one house offers another one finds and calls (encrypted: %s)", async (curve) => {
  const redis = await startRedis();
  const there = await openTestHouse(redis, { settings: { curve } });
  await there.nexus.host(echo, { say: ({ text }) => ({ text: `${text}!` }) });
  const here = await openTestHouse(redis, { settings: { curve } });
  const client = here.nexus.client(echo);
  await client.ready(5_000);
  expect(await client.call("say", { text: "hello" })).toEqual({ text: "hello!" });
  expect(client.instances()[0]?.curveKey?.length).toBe(curve ? 40 : undefined);
  await there.close();
  await until("it has left", 2_000, () => client.instances().length === 0);
});

test("passwords are hidden whatever the URL looks like", () => {
  expect(maskText("redis://u:p@h:1/2")).toBe("redis://u:***@h:1/2");
  expect(maskText("rediss://:p@h")).toBe("rediss://:***@h");
  expect(maskText("redis://h:1")).toBe("redis://h:1");
});
