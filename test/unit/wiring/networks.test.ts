// Addresses and neighbours: what is published can be reached, and who answers at an address is who was registered there.

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { houseSettings, openHouse, quiet } from "../../../lib/wiring/index.js";
import { atEnd } from "../../kit/cleanup.js";
import { openTestHouse } from "../../kit/house.js";
import { startRedis } from "../../kit/redis.js";
import { until } from "../../kit/until.js";
import { contract } from "./mill.js";
import { failureOf, openMill, openWorld } from "./world.js";

test.each(["::1", "[::1]"])("an instance at the IPv6 address %s is called", async (bind) => {
  const { open } = await openWorld("remote");
  const mill = await openMill(await open({ bind }));
  expect(mill.hosted.instance.endpoint).toMatch(/^tcp:\/\/\[::1\]:\d+$/);
  const client = (await open({ bind })).client(contract);
  expect(await client.call("echo", { text: "over IPv6" })).toEqual({ text: "over IPv6" });
});

test.each(["0.0.0.0", "::", "[::]", "0:0:0:0:0:0:0:0", "*"])(
  "%s is no address by which others reach an instance: refused by the settings and by the nexus",
  async (bind) => {
    expect(houseSettings.safeParse({ host: bind }).success).toBe(false);
    const { open } = await openWorld("remote");
    await expect(openMill(await open({ bind }))).rejects.toThrow("every address of this machine");
  },
);

/** As somebody else's entry, which no process renews. */
const ghost = (endpoint: string, host = "h1") => ({
  ...{ service: "mill", id: "mill-00000001" as never, host, pid: 4_242, endpoint, startedAt: 1, version: "1" },
  ...{ state: "ready" as const, meta: {} },
});

test("an instance that died leaves the list although another process has its port", async () => {
  const { directory, caller, host } = await openWorld("remote");
  const other = { ...contract, service: "other" };
  const { endpoint } = (await host.host(other, { echo: () => 0, hold: () => 0, once: () => 0, act: () => 0 })).instance;
  const client = caller.client(contract);
  await caller.client(other).ready(2_000); // The link stands.
  directory.put(ghost(endpoint)); // Dead, and not dropped yet.
  await until("it is known not to be there", 2_000, () => client.instances().length === 0);
  expect(await failureOf(client.call("hold", 1, { timeoutMs: 50 }))).toMatchObject({
    code: "NO_INSTANCE",
    sent: false,
  });
  directory.remove(ghost(endpoint).id);
  expect(client.instances()).toEqual([]);
});

test("J1, J4 an instance that discovery drops stays while its process says that it serves it", async () => {
  const { directory, caller, host } = await openWorld("remote");
  const mill = await openMill(host);
  const client = caller.client(contract);
  await client.ready(2_000);
  directory.remove(mill.hosted.instance.id);
  for (let i = 0; i < 5; i += 1) expect(await client.call("echo", { text: "alive" })).toEqual({ text: "alive" });
  expect(client.instances()).toHaveLength(1);
});

test("a loopback address that another host published is named, with what to set there", async () => {
  const said: string[] = [];
  const { directory, open } = await openWorld("remote");
  const log = Object.assign(Object.create(quiet), { warn: (_: object, text: string) => void said.push(text) });
  (await open({ log })).client(contract);
  directory.put(ghost("tcp://127.0.0.1:9", "elsewhere"));
  await until("it is said", 15_000, () => said.length > 0);
  expect(said[0]).toMatch(/another host, elsewhere, and gave a loopback address; set `host` there/);
}, 20_000);

test("a password that was rotated in its file is read again, and every connection comes back", async () => {
  const redis = await startRedis({ password: "old" });
  const directory = await mkdtemp(join(tmpdir(), "headframe-password-"));
  atEnd(() => rm(directory, { recursive: true, force: true }));
  const passwordFile = join(directory, "password");
  await writeFile(passwordFile, "old\n");
  const settings = houseSettings.parse({ redis: { url: `redis://127.0.0.1:${redis.port}`, passwordFile } });
  const house = await openTestHouse(redis, { settings: { redis: settings.redis } });
  await openMill(house.nexus);
  const admin = redis.client();
  await admin.config("SET", "requirepass", "new");
  await writeFile(passwordFile, "new\n");
  await admin.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
  await admin.call("CLIENT", "KILL", "TYPE", "pubsub");
  await until("the house is back", 5_000, () =>
    house.redis.state.ping().then(
      () => true,
      () => false,
    ),
  );
  const late = await openTestHouse(redis, { settings: { redis: settings.redis } });
  await late.nexus.client(contract).ready(5_000); // The heartbeat's own connection is back, too.
});

test("a Redis that has as many clients as it takes is refused with that reason", async () => {
  const redis = await startRedis({ args: ["--maxclients", "1"] });
  await redis.client().ping();
  const settings = houseSettings.parse({ redis: { url: redis.url, connectTimeoutMs: 500 }, log: { level: "silent" } });
  await expect(openHouse(settings)).rejects.toThrow("maxclients");
});
