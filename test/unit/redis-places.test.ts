// Where Redis may be: behind TLS and an ACL user, behind sentinels, in a cluster. What cannot work is said with the key to correct.

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { reporter } from "../../lib/contracts/index.js";
import { houseSettings, type OpenedHouse, openHouse, Registry } from "../../lib/wiring/index.js";
import { redisPlaces } from "../../lib/wiring/redis-place.js";
import { open } from "../../services/reporter/main.js";
import { settings as reporterSettings } from "../../services/reporter/settings.js";
import { selfSignedPem } from "../kit/certificate.js";
import { atEnd } from "../kit/cleanup.js";
import { freePort } from "../kit/ports.js";
import { startRedis } from "../kit/redis.js";
import { startCluster } from "../kit/redis-cluster.js";
import { startSentinels } from "../kit/sentinels.js";
import { until } from "../kit/until.js";
import { aShare } from "./reporter/shares.js";

const silent = { level: "silent" } as const;

async function openWith(redis: object): Promise<OpenedHouse> {
  const house = await openHouse(houseSettings.parse({ cluster: "test", log: silent, redis }));
  atEnd(() => house.close());
  return house;
}

/** Writes a fresh certificate; the same file serves as authority, certificate and key. */
async function certificate(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "headframe-tls-"));
  atEnd(() => rm(directory, { recursive: true, force: true }));
  const file = join(directory, "redis.pem");
  await writeFile(file, selfSignedPem(), { mode: 0o600 });
  return file;
}

async function startSecureRedis(file: string, more: readonly string[] = []) {
  const port = await freePort();
  const tls = ["--tls-port", `${port}`, "--tls-cert-file", file, "--tls-key-file", file, "--tls-ca-cert-file", file];
  const server = await startRedis({ args: [...tls, ...more] });
  return { server, port };
}

/** A share through a reporter, found by discovery in another house. */
async function records(redis: object, share = aShare(1)): Promise<void> {
  const [house, other] = [await openWith(redis), await openWith(redis)];
  const running = await open(house, reporterSettings.parse({}));
  atEnd(() => running.close());
  const client = other.nexus.client(reporter);
  await client.ready(5_000);
  const reply = await client.call("recordShares", { shares: [share], hashesPerDifficulty: 1 });
  expect(reply.outcomes).toEqual(["recorded"]);
  expect((await client.call("pool", {})).recorded).toBeGreaterThan(0);
}

describe("TLS and users", () => {
  test("everything works over TLS as an ACL user that may touch only our keys and channels", async () => {
    const file = await certificate();
    const { server, port } = await startSecureRedis(file, ["--tls-auth-clients", "no"]);
    const rules = ["on", ">p@ss", "resetkeys", "~hf:{test}:*", "resetchannels", "&hf:{test}:*"];
    const commands = [
      "-@all",
      "+@read",
      "+@write",
      "+@scripting",
      "+@pubsub",
      "+@connection",
      "+@transaction",
      "+info",
      "+time",
    ];
    await server.client().call("ACL", ["SETUSER", "pool", ...rules, ...commands]);
    await server.client().call("ACL", ["SETUSER", "default", "off"]);
    await records({ url: `rediss://pool:p%40ss@localhost:${port}`, tls: { caFile: file } });
  });

  test("a Redis that asks for a certificate gets ours", async () => {
    const file = await certificate();
    const { port } = await startSecureRedis(file);
    const tls = { caFile: file, certFile: file, keyFile: file, serverName: "localhost" };
    await records({ url: `rediss://127.0.0.1:${port}`, tls });
  });

  test.each([
    ["an authority that nobody named", undefined, /its certificate is not trusted.*redis\.tls\.caFile/],
    ["a name that is not the certificate's", "example.org", /not trusted.*redis\.tls\.serverName/],
  ])("%s is said at once", async (_, serverName, message) => {
    const file = await certificate();
    const { port } = await startSecureRedis(file, ["--tls-auth-clients", "no"]);
    const tls = serverName === undefined ? {} : { tls: { caFile: file, serverName } };
    const opening = openWith({ url: `rediss://localhost:${port}`, ...tls, connectTimeoutMs: 20_000 });
    await expect(opening).rejects.toThrow(message);
  });

  test("TLS to a port without, and none to a port with it, are said in words", async () => {
    const { server, port } = await startSecureRedis(await certificate(), ["--tls-auth-clients", "no"]);
    const tls = openWith({ url: `rediss://localhost:${server.port}`, connectTimeoutMs: 700 });
    await expect(tls).rejects.toThrow(/Does that port speak TLS\? Otherwise use redis:\/\//);
    const plain = openWith({ url: `redis://127.0.0.1:${port}`, connectTimeoutMs: 700 });
    await expect(plain).rejects.toThrow(/it closes the connection.*rediss:\/\//);
  });

  test("settings that cannot mean anything are refused with their key", () => {
    const refused = (redis: object) =>
      houseSettings.safeParse({ redis }).error?.issues.map(({ path }) => path.join("."));
    expect(refused({ tls: { caFile: "x" } })).toEqual(["redis.tls"]);
    expect(refused({ url: "rediss://h", tls: { certFile: "x" } })).toEqual(["redis.tls.keyFile"]);
    expect(refused({ sentinels: [] })).toEqual(["redis.sentinels"]);
    const node = { host: "a" };
    expect(refused({ sentinels: [node], clusterNodes: [node] })).toEqual(["redis.clusterNodes"]);
    expect(refused({ clusterNodes: [node], state: "redis://h/3" })).toEqual(["redis.clusterNodes"]);
    expect(refused({ clusterNodes: [node], url: "/run/redis.sock" })).toEqual(["redis.clusterNodes"]);
    expect(refused({ sentinelPassword: "x", sentinelPasswordFile: "y" })).toEqual(["redis.sentinelPasswordFile"]);
    const missing = houseSettings.parse({ redis: { url: "rediss://h", tls: { caFile: "/no/such.pem" } } });
    expect(() => redisPlaces(missing.redis, "test")).toThrow(/redis\.tls\.caFile cannot be read/);
  });
});

describe("sentinels", () => {
  test("a master that is demoted, not killed, is left for the new one, and discovery follows", async () => {
    const set = await startSentinels();
    const redis = { sentinels: set.sentinels.slice(1), sentinelName: set.name };
    const house = await openWith(redis);
    await house.nexus.host(reporter, nothingOf());
    const first = set.master();
    await set.failover();
    const second = await set.promoted();
    expect(second.port).not.toBe(first.port);
    await until("writes reach the new master", 20_000, async () => {
      await house.redis.state.set("hf:{test}:probe", "1");
      return (await second.client().get("hf:{test}:probe")) === "1";
    });
    const registry = Registry.open({ redis: house.redis.discovery, cluster: "test" });
    atEnd(() => registry.close());
    await until("its instance is registered there", 20_000, async () => (await registry.list("reporter")).length === 1);
  }, 90_000);

  test("sentinels that are not there, or know no such master, are said in words, without a password", async () => {
    const port = await freePort();
    const wanted = { sentinels: [{ host: "127.0.0.1", port }], sentinelName: "other", sentinelPassword: "secret" };
    const failed = openWith({ ...wanted, url: "redis://:hidden@ignored", connectTimeoutMs: 500 });
    const error: unknown = await failed.catch((thrown: unknown) => thrown);
    const message = error instanceof Error ? error.message : "";
    expect(message).toContain(`Redis at other of the sentinels 127.0.0.1:${port}: its sentinels cannot be asked`);
    expect(message).toContain("redis.sentinelName");
    expect(message).not.toMatch(/secret|hidden/);
  });
});

describe("a cluster", () => {
  test("whichever node has our keys is found; when it hands them to its replica, it is left, and discovery follows", async () => {
    const set = await startCluster("test");
    await records({ clusterNodes: set.nodes.slice(0, 1) });
    await records({ clusterNodes: set.nodes.slice(1, 2) }, aShare(2));
    const house = await openWith({ clusterNodes: set.nodes });
    const { instance } = await house.nexus.host(reporter, nothingOf());
    await set.failover();
    const second = await set.promoted();
    await until("writes reach the new master", 20_000, async () => {
      const said = await house.redis.state.set("hf:{test}:probe", "1").catch((error: Error) => error.message);
      return said === "OK" && (await second.client().get("hf:{test}:probe")) === "1";
    });
    const registry = Registry.open({ redis: house.redis.discovery, cluster: "test" });
    atEnd(() => registry.close());
    const listed = async () => (await registry.list("reporter")).map(({ id }) => id);
    await until("its instance is registered there", 20_000, async () => (await listed()).includes(instance.id));
  }, 90_000);

  test("a node that is gone is passed by; when all are, that is said in words, without a password", async () => {
    const live = await startRedis({ password: "hidden" });
    const clusterNodes = [{ host: "127.0.0.1", port: await freePort() }];
    const url = "redis://:hidden@ignored";
    await openWith({ url, clusterNodes: [...clusterNodes, { host: "127.0.0.1", port: live.port }] });
    const failed = openWith({ url, clusterNodes, connectTimeoutMs: 500 });
    const error: unknown = await failed.catch((thrown: unknown) => thrown);
    const message = error instanceof Error ? error.message : "";
    expect(message).toContain(`Redis at the cluster of 127.0.0.1:${clusterNodes[0]?.port}: none of its nodes`);
    expect(message).toContain("redis.clusterNodes");
    expect(message).not.toContain("hidden");
  });

  test("a wrong password is said at once", async () => {
    const { port } = await startRedis({ password: "right" });
    const clusterNodes = [{ host: "127.0.0.1", port }];
    const opening = openWith({ url: "redis://:wrong@h", clusterNodes, connectTimeoutMs: 20_000 });
    await expect(opening).rejects.toThrow(/it refuses the user or password/);
  });
});

function nothingOf() {
  const never = () => Promise.reject(new Error("not of this test"));
  return {
    ...{ recordShares: never, known: never, recordRejects: never, recordBlock: never, status: never },
    ...{ pool: never, workers: never, blocks: never, rounds: never, roundWorkers: never, shares: never },
  };
}
