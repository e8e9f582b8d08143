// sentinels: a master, two replicas and three sentinels that watch them, on free loopback ports, gone with the test.
//
//   const set = await startSentinels();
//   const house = ... redis: { sentinels: set.sentinels, sentinelName: set.name }
//   set.master().freeze();  await set.promoted();        // a replica is the master now

import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";
import { atEnd } from "./cleanup.js";
import { freePorts } from "./ports.js";
import { type RedisServer, startRedis } from "./redis.js";
import { until } from "./until.js";

const NAME = "pool";
const START_MS = 15_000;
/** A real set waits for seconds more before it believes in a death. */
const DOWN_AFTER_MS = 1_000;
const FAILOVER_MS = 20_000;
const DURABLE = ["--appendonly", "yes", "--appendfsync", "everysec", "--repl-diskless-sync-delay", "0"];

export class SentinelSet {
  readonly name = NAME;
  #master: RedisServer;

  constructor(
    readonly servers: readonly RedisServer[],
    readonly sentinels: readonly { readonly host: string; readonly port: number }[],
    private readonly asked: Redis,
    first: RedisServer,
  ) {
    this.#master = first;
  }

  /** As of the last promoted(). */
  master(): RedisServer {
    return this.#master;
  }

  /** An operator's wish: the master lives, and becomes a replica. */
  async failover(): Promise<void> {
    await this.asked.call("SENTINEL", ["failover", NAME]);
  }

  /** Resolves when the sentinels name another master, with that one. */
  async promoted(): Promise<RedisServer> {
    this.#master = await until("the sentinels name a new master", FAILOVER_MS, async () => {
      const port = await this.#port();
      return port !== this.#master.port && this.servers.find((server) => server.port === port);
    });
    return this.#master;
  }

  async #port(): Promise<number> {
    const reply = await this.asked.call("SENTINEL", ["get-master-addr-by-name", NAME]);
    return Array.isArray(reply) ? Number(reply[1]) : 0;
  }
}

export async function startSentinels(): Promise<SentinelSet> {
  const master = await startRedis({ args: DURABLE });
  const follow = ["--replicaof", "127.0.0.1", `${master.port}`];
  const replicas = [
    await startRedis({ args: [...DURABLE, ...follow] }),
    await startRedis({ args: [...DURABLE, ...follow] }),
  ];
  const directory = await mkdtemp(join(tmpdir(), "headframe-sentinels-"));
  atEnd(() => rm(directory, { recursive: true, force: true }));
  const ports = await freePorts(3);
  for (const port of ports) await startSentinel(directory, port, master.port);
  const asked = new Redis({ port: ports[0] ?? 0, commandTimeout: 1_000, disconnectTimeout: 100 });
  asked.on("error", () => {}); // It is asked again.
  atEnd(() => asked.disconnect());
  await until("the sentinels know each other and the replicas", START_MS, async () => {
    const masters = String(await asked.call("INFO", ["sentinel"]));
    return masters.includes("slaves=2") && masters.includes("sentinels=3");
  });
  const client = master.client();
  await until(
    "the replicas follow",
    START_MS,
    async () => String(await client.info("replication")).match(/state=online/g)?.length === 2,
  );
  const addresses = ports.map((port) => ({ host: "127.0.0.1", port }));
  return new SentinelSet([master, ...replicas], addresses, asked, master);
}

async function startSentinel(directory: string, port: number, masterPort: number): Promise<void> {
  const file = join(directory, `${port}.conf`); // A sentinel rewrites it.
  const lines = [
    `port ${port}`,
    "bind 127.0.0.1",
    `dir ${directory}`,
    `sentinel monitor ${NAME} 127.0.0.1 ${masterPort} 2`,
    `sentinel down-after-milliseconds ${NAME} ${DOWN_AFTER_MS}`,
    `sentinel failover-timeout ${NAME} 5000`,
    `sentinel parallel-syncs ${NAME} 2`,
  ];
  await writeFile(file, `${lines.join("\n")}\n`);
  const child = spawn("redis-server", [file, "--sentinel"], { stdio: "ignore" });
  const onExit = () => child.kill("SIGKILL"); // A test run that is killed must not leave it behind.
  process.once("exit", onExit);
  atEnd(async () => {
    process.removeListener("exit", onExit);
    await end(child);
  });
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGKILL");
  await ended;
}
