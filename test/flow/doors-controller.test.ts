// HAProxy's controller: whatever happens to keepers, to HAProxy or to itself, HAProxy is soon as it should be.

import { readFile, rm, stat, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { expect, test } from "@jest/globals";
import { haproxySettings } from "../../haproxy/index.js";
import { metricTable, open } from "../../haproxy/main.js";
import type { InstanceId } from "../../lib/wiring/index.js";
import { answeredUpTo, askers } from "../kit/asker.js";
import { atEnd } from "../kit/cleanup.js";
import { startFrontDoor } from "../kit/front-door.js";
import { openTestHouse } from "../kit/house.js";
import { startKeeper, startLineBackend } from "../kit/keeper.js";
import { LineClient } from "../kit/line-client.js";
import { startRedis } from "../kit/redis.js";
import { until } from "../kit/until.js";

const PLAIN = { name: "plain" };
const SPARE_ONE = { bans: { neverBan: ["127.0.0.1"], stepsS: [1, 60] } };

type Door = Awaited<ReturnType<typeof startFrontDoor>>;

const up = async (door: Door): Promise<number> =>
  (await door.control.stat()).filter(({ svname, status }) => svname?.startsWith("keeper-") && status === "UP").length;

const upTo = (door: Door, count: number) =>
  until(`${count} keepers are up`, 10_000, async () => (await up(door)) === count);

const from = (address: string, door: Door) =>
  LineClient.connect({ host: "127.0.0.1", port: door.port("plain"), localAddress: address });

/** Refused means closed before a word, be it so early that connecting fails. */
async function isRefused(address: string, door: Door): Promise<boolean> {
  const client = await from(address, door).catch(() => undefined);
  if (!client) return true;
  const answered = await client.ask("{in?}", 500).catch(() => undefined);
  client.end();
  return answered === undefined;
}

test("a keeper that comes is given clients without a reload, one that is gone gets none, and a reload keeps what came at run time", async () => {
  const redis = await startRedis();
  await startLineBackend(redis);
  const first = await startKeeper({ redis });
  const door = await startFrontDoor(redis, { listeners: [PLAIN], settings: { keeperGoneMs: 200 } });
  await upTo(door, 1);
  const second = await startKeeper({ redis });
  await upTo(door, 2);
  expect((await door.client.call("status", {})).reloads).toBe(0);

  await door.client.call("reload", {});
  await upTo(door, 2);

  const clients = await Promise.all(Array.from({ length: 6 }, () => from("127.0.0.1", door)));
  for (const client of clients) expect(await client.ask("{in}")).toBe("{IN}#1");
  await first.stop();
  await until("the first keeper's server is removed", 15_000, async () => {
    const { servers } = await door.client.call("status", {});
    return servers.length === 1 && servers[0]?.state === "UP";
  });
  const later = await from("127.0.0.1", door);
  expect(await later.ask("{served}")).toBe("{SERVED}#1");
  expect(clients.filter(({ closed }) => !closed).length).toBeGreaterThan(0); // Those of the second keeper.
  await second.stop();
}, 90_000);

test("an edge that dies, and one that is away for long, take no keeper off: its clients stay", async () => {
  const redis = await startRedis();
  await startLineBackend(redis);
  const keeper = await startKeeper({ redis });
  const door = await startFrontDoor(redis, { listeners: [PLAIN], settings: { keeperGoneMs: 100 } });
  const client = await from("127.0.0.1", door);
  expect(await client.ask("{one}")).toBe("{ONE}#1");
  const before = keeper.epoch;
  process.kill(keeper.edgePid, "SIGKILL");
  await keeper.edgeReady(before + 1);
  expect(await client.ask("{two}")).toMatch(/^\{TWO\}#/);
  expect((await door.client.call("status", {})).servers).toHaveLength(1);
  expect(client.closed).toBe(false);
}, 90_000);

test("200 clients stay and are served through three reloads, each by a changed template", async () => {
  const redis = await startRedis();
  await startLineBackend(redis);
  await startKeeper({ redis });
  const door = await startFrontDoor(redis, { listeners: [PLAIN] });
  const clients = await askers(door.port("plain"), 200);
  for (const client of clients) client.start(100);
  await until("the load runs", 20_000, () => clients.every(({ client }) => client.lines.length > 1));
  for (const connectionsPerAddress of [1_001, 1_002, 1_003]) {
    door.input = {
      ...door.input,
      listeners: door.input.listeners?.map((each) => ({ ...each, connectionsPerAddress })) ?? [],
    };
    const { pid } = await door.client.call("reload", {});
    expect((await door.control.info()).pid).toBe(pid);
  }
  const { reloads, running } = await door.client.call("status", {});
  expect(reloads).toBe(3);
  expect(running?.oldWorkers).toBeGreaterThan(0);
  await until("everybody was answered after the last reload", 20_000, () => answeredUpTo(clients, 2));
  const fresh = await from("127.0.0.1", door);
  expect(await fresh.ask("{new}")).toBe("{NEW}#1");
  for (const client of clients) client.quit();
  expect(clients.filter(({ client }) => client.closed)).toEqual([]);
}, 120_000);

test("a template that HAProxy refuses is said to who asked for it, and the old one goes on", async () => {
  const redis = await startRedis();
  await startLineBackend(redis);
  await startKeeper({ redis });
  const door = await startFrontDoor(redis, { listeners: [PLAIN] });
  const good = door.input;
  door.input = { ...good, extraGlobal: ["no-such-word 1"] };
  await expect(door.client.call("reload", {})).rejects.toThrow(/unknown keyword 'no-such-word'/);
  door.input = good;
  await until("nothing is wrong", 5_000, async () => (await door.client.call("status", {})).problem === undefined);
  expect(await (await from("127.0.0.1", door)).ask("{on}")).toBe("{ON}#1");
}, 60_000);

test("a ban refuses new connections at once, holds over a reload, HAProxy's restart and the controller's, and ends by itself", async () => {
  const redis = await startRedis();
  await startLineBackend(redis);
  await startKeeper({ redis });
  const door = await startFrontDoor(redis, { listeners: [PLAIN], settings: SPARE_ONE });
  const told: string[] = [];
  door.client.subscribe("banned", { onMessage: ({ address }) => void told.push(address) });
  const other = await from("127.0.0.3", door);
  expect(await other.ask("{in}")).toBe("{IN}#1");

  const address = "127.0.0.2";
  const ban = await door.client.call("ban", { address, reason: "operator", seconds: 600 });
  expect(ban).toMatchObject({ outcome: "banned", address, step: 1 });
  expect(await isRefused(address, door)).toBe(true);
  await until("subscribers are told", 2_000, () => told.includes(address));
  await door.client.call("reload", {});
  expect(await isRefused(address, door)).toBe(true);
  expect(await other.ask("{still}")).toBe("{STILL}#2");

  await door.stopHaproxy();
  await until("it is seen to be down", 5_000, async () => !(await door.client.call("status", {})).running);
  await door.startHaproxy();
  expect(await isRefused(address, door)).toBe(true);
  await door.controller?.close();
  await door.openController();
  expect((await door.client.call("status", {})).bans).toMatchObject([{ address, reason: "operator" }]);
  expect(await isRefused(address, door)).toBe(true);

  expect(await door.client.call("unban", { address })).toEqual({ wasBanned: true });
  expect(await isRefused(address, door)).toBe(false);
  await door.client.call("ban", { address, reason: "garbage" }); // A second long.
  expect(await isRefused(address, door)).toBe(true);
  await until("the ban is over", 10_000, async () => !(await isRefused(address, door)));
}, 90_000);

test("an address that may never be banned is not, whoever asks", async () => {
  const redis = await startRedis();
  await startLineBackend(redis);
  await startKeeper({ redis });
  const door = await startFrontDoor(redis, { listeners: [PLAIN] });
  for (const address of ["127.0.0.2", "127.0.0.0/24", "::1"]) {
    expect(await door.client.call("ban", { address, reason: "operator" })).toMatchObject({ outcome: "spared" });
  }
  expect(await isRefused("127.0.0.2", door)).toBe(false);
}, 60_000);

test("a haproxy.cfg that somebody removes or edits is written again", async () => {
  const redis = await startRedis();
  await startLineBackend(redis);
  await startKeeper({ redis });
  const { paths } = await startFrontDoor(redis, { listeners: [PLAIN] });
  const text = await readFile(paths.config, "utf8");
  const isBack = () =>
    until("the file is as it was", 10_000, async () => (await readFile(paths.config, "utf8").catch(() => "")) === text);
  await rm(paths.config);
  await isBack();
  await writeFile(paths.config, text.replace("mode tcp", "mode http"));
  await isBack();
}, 60_000);

test("a keeper that an operator puts into maintenance stays there, also over a reload, and no later start brings that back", async () => {
  const redis = await startRedis();
  await startLineBackend(redis);
  await startKeeper({ redis });
  const door = await startFrontDoor(redis, { listeners: [PLAIN] });
  await upTo(door, 1);
  const server = async () => (await door.control.stat()).find(({ svname }) => svname?.startsWith("keeper-"));
  const name = `keepers/${(await server())?.svname}`;
  for (const state of ["maint", "drain"]) {
    await door.control.runtime.command(`set server ${name} state ${state}`);
    await door.client.call("reload", {});
    await door.client.call("reload", {}); // Each is a round as well.
    expect((await server())?.status).toMatch(new RegExp(`^${state}`, "i"));
    await door.control.runtime.command(`set server ${name} state ready`);
    await upTo(door, 1);
  }
  await door.control.runtime.command(`set server ${name} state drain`);
  await door.client.call("reload", {});
  await door.control.runtime.command(`set server ${name} state ready`);
  const { pid } = await door.control.info();
  process.kill((await door.control.masterView()).masterPid, "SIGUSR2"); // A reload by somebody else.
  await until(
    "another worker serves",
    10_000,
    async () => (await door.control.info().catch(() => ({ pid }))).pid !== pid,
  );
  await upTo(door, 1);
  expect(await (await from("127.0.0.1", door)).ask("{in}")).toBe("{IN}#1");
  await door.stopHaproxy();
  await door.startHaproxy();
  await upTo(door, 1);
}, 90_000);

test("two controllers of one HAProxy keep each other's bans", async () => {
  const redis = await startRedis();
  await startLineBackend(redis);
  await startKeeper({ redis });
  const door = await startFrontDoor(redis, { listeners: [PLAIN] });
  const [other] = door.client.instances();
  const house = await openTestHouse(redis, { tables: [metricTable] });
  const reread = () => haproxySettings.parse(door.input);
  const controller = await open(house, reread(), { paths: door.paths, reread });
  atEnd(() => controller.close());
  await until("both are listed", 5_000, () => door.client.instances().length === 2);
  const second = door.client.instances().find(({ id }) => id !== other?.id);
  const [a = "", b = ""] = [other?.id, second?.id];
  await door.client.call("ban", { address: "192.0.2.1", reason: "operator" }, { to: a as InstanceId });
  await door.client.call("ban", { address: "192.0.2.2", reason: "operator" }, { to: b as InstanceId });
  const refused = async () => (await door.control.runtime.banned(door.paths.banned)).sort();
  const known = async (to: string) =>
    (await door.client.call("status", {}, { to: to as InstanceId })).bans.map(({ address }) => address).sort();
  const all = ["192.0.2.1", "192.0.2.2"];
  await until("each knows both", 5_000, async () =>
    [await known(a), await known(b)].every((it) => it.join() === all.join()),
  );
  expect(await refused()).toEqual(all);
  await door.client.call("unban", { address: "192.0.2.1" }, { to: b as InstanceId });
  await until("neither refuses it", 5_000, async () => (await known(a)).join() === "192.0.2.2");
  expect(await refused()).toEqual(["192.0.2.2"]);
}, 60_000);

test("`ps` says how HAProxy is", async () => {
  const redis = await startRedis();
  await startLineBackend(redis);
  await startKeeper({ redis });
  const door = await startFrontDoor(redis, { listeners: [PLAIN] });
  await from("127.0.0.1", door);
  await upTo(door, 1);
  const meta = () => door.client.instances()[0]?.meta ?? {};
  await until("its fields say so", 5_000, () => meta().servers === "1/1 up");
  expect(meta().problem).toBeUndefined(); // There was one before it ran.
  expect(meta()).toMatchObject({ reloads: "0", banned: "0", haproxy: expect.stringMatching(/^\d.* pid \d+$/) });
  await door.stopHaproxy();
  await until("its fields say that it is down", 5_000, () => meta().haproxy === "down");
  expect(meta().problem).toBe("HAProxy is not running");
}, 60_000);

test("the files and sockets of the front door are its owner's alone", async () => {
  const redis = await startRedis();
  await startLineBackend(redis);
  const keeper = await startKeeper({ redis });
  const { paths, client } = await startFrontDoor(redis, { listeners: [PLAIN] });
  await client.call("ban", { address: "192.0.2.1", reason: "operator" });
  const mode = async (path: string) => (await stat(path)).mode & 0o777;
  for (const path of [...Object.values(paths), keeper.path]) expect([path, await mode(path)]).toEqual([path, 0o600]);
  expect(await mode(dirname(paths.config))).toBe(0o700);
}, 60_000);
