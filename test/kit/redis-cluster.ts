// redis-cluster: three servers with a third of the slots each, and a replica of the one that has a given installation's keys, on
// free loopback ports, gone with the test.
//
//   const set = await startCluster("pool");
//   const house = ... redis: { clusterNodes: set.nodes }
//   process.kill(set.master().pid, "SIGKILL");  await set.promoted();     // the replica has the keys now

import type { Redis } from "ioredis";
import { settled } from "../../lib/wiring/connect.js";
import { freePorts } from "./ports.js";
import { type RedisServer, startRedis } from "./redis.js";
import { until } from "./until.js";

const SLOTS = 16_384;
const MASTERS = 3;
const START_MS = 20_000;
const FAILOVER_MS = 20_000;
/** A real cluster waits for fifteen seconds. */
const NODE_TIMEOUT_MS = 1_000;

export class RedisCluster {
  #master: RedisServer;

  constructor(
    readonly servers: readonly RedisServer[],
    owner: RedisServer,
    private readonly replica: RedisServer,
  ) {
    this.#master = owner;
  }

  get nodes(): { readonly host: string; readonly port: number }[] {
    return this.servers.map(({ port }) => ({ host: "127.0.0.1", port }));
  }

  /** Who has the installation's keys, as of the last promoted(). */
  master(): RedisServer {
    return this.#master;
  }

  /** An operator's wish, not asking the master's consent: it lives, and becomes a replica. */
  async failover(): Promise<void> {
    await this.replica.client().call("CLUSTER", ["FAILOVER", "FORCE"]);
  }

  /** Resolves when the replica has become the master, with it. */
  async promoted(): Promise<RedisServer> {
    const client = this.replica.client();
    await until("the replica is a master", FAILOVER_MS, async () => String(await client.role()).startsWith("master"));
    this.#master = this.replica;
    return this.#master;
  }
}

/** @param installation The name that is its keys' hash tag. */
export async function startCluster(installation: string): Promise<RedisCluster> {
  const buses = await freePorts(MASTERS + 1);
  const servers = [];
  for (const bus of buses) servers.push(await startNode(bus));
  const clients = await Promise.all(servers.map((server) => ready(server)));
  // Otherwise all begin as equals, and votes are refused until they have sorted themselves out.
  for (const [index, client] of clients.entries()) await client.call("CLUSTER", ["SET-CONFIG-EPOCH", index + 1]);
  const masters = clients.slice(0, MASTERS);
  for (const [index, client] of masters.entries()) {
    const range = [Math.ceil((SLOTS / MASTERS) * index), Math.ceil((SLOTS / MASTERS) * (index + 1)) - 1];
    await client.call("CLUSTER", ["ADDSLOTSRANGE", ...range]);
  }
  const [first, ...others] = clients;
  if (!first) throw new Error("a cluster has at least one node");
  for (const [index] of others.entries()) {
    await first.call("CLUSTER", ["MEET", "127.0.0.1", servers[index + 1]?.port ?? 0, buses[index + 1] ?? 0]);
  }
  await everybody(masters, "knows all slots", /cluster_state:ok/, "CLUSTER");
  const slot = Number(await first.call("CLUSTER", ["KEYSLOT", `{${installation}}`]));
  const owner = Math.floor((slot * MASTERS) / SLOTS);
  const [master, replica] = [servers[owner], servers[MASTERS]];
  if (!master || !replica) throw new Error("the cluster lacks a node");
  await follow(clients[MASTERS] ?? first, clients[owner] ?? first);
  return new RedisCluster(servers, master, replica);
}

function startNode(bus: number): Promise<RedisServer> {
  const cluster = ["--cluster-enabled", "yes", "--cluster-node-timeout", `${NODE_TIMEOUT_MS}`];
  const durable = ["--appendonly", "yes", "--appendfsync", "everysec", "--repl-diskless-sync-delay", "0"];
  return startRedis({
    args: [...cluster, "--cluster-port", `${bus}`, "--cluster-config-file", `${bus}.conf`, ...durable],
  });
}

async function ready(server: RedisServer): Promise<Redis> {
  const client = server.client();
  await settled(client, START_MS);
  return client;
}

async function follow(replica: Redis, master: Redis): Promise<void> {
  const id = String(await master.call("CLUSTER", ["MYID"]));
  await until("the replica knows its master", START_MS, async () =>
    String(await replica.call("CLUSTER", ["NODES"])).includes(id),
  );
  await replica.call("CLUSTER", ["REPLICATE", id]);
  await until("the replica follows", START_MS, async () => /state=online/.test(await master.info("replication")));
}

async function everybody(clients: readonly Redis[], what: string, pattern: RegExp, command: string): Promise<void> {
  for (const client of clients) {
    await until(`every node ${what}`, START_MS, async () => pattern.test(String(await client.call(command, ["INFO"]))));
  }
}
