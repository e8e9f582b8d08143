// Embedded: what `headframe up` brings along when it is given no configuration, so that one command runs a whole pool.
//
//   redis-server (private, behind a password) + two litecoind on regtest + a configuration for the pool in front of them
//
// The process manager starts redis and litecoind first (demo/embedded.ini); their readiness, here, boots the chain and then
// writes the configuration, which the pool's services, started next, read.

import { randomBytes } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { Redis } from "ioredis";
import { stringify } from "smol-toml";
import { z } from "zod";
import { freePorts, portOrFree } from "../../demo/ports.js";
import { type PrivateRedis, redisConfiguration, redisUrl } from "../../demo/redis.js";
import {
  bootRegtest,
  cookieFile,
  heightOf,
  type LitecoindPlace,
  litecoindArguments,
  MWEB_HEIGHT,
  mine,
  newAddress,
} from "../../demo/regtest.js";
import type { Log } from "../../lib/wiring/index.js";
import { DaemonRpc, RpcError } from "../../services/jobmanager/out-rpc.js";
import type { RunDirectory } from "./run-directory.js";

/** Where miners are used to find a pool; another port when it is taken. */
const STRATUM_PORT = 3333;
const RPC_TIMEOUT_MS = 10_000;
const LOOK_EVERY_MS = 50;
/** A wallet payment this often, so that blocks have more in them than their coinbase. */
const PAYMENT_MS = 5_000;

export interface Embedded {
  readonly configFile: string;
  readonly stratumPort: number;
  /** For demo/embedded.ini. */
  readonly environment: Readonly<Record<string, string>>;
  /** Resolves when a process of this watcher serves; undefined for watchers that are not ours. */
  ready(watcher: string, signal: AbortSignal): Promise<void> | undefined;
  /** Small payments between addresses of the wallet, until the signal. */
  pay(signal: AbortSignal, log: Log): Promise<void>;
  /** How many of these blocks litecoind has in its best chain; and where the chain stands. */
  askChain(hashes: readonly string[]): Promise<{ inChain: number; height: number; mweb: boolean }>;
  /** Their names. */
  readonly watchers: readonly string[];
  /** Makes both nodes answer every long poll now: only a new block does. For the end of the run. */
  endLongPolls(): Promise<void>;
  close(): void;
}

export async function prepareEmbedded(run: RunDirectory, tell: (text: string) => void): Promise<Embedded> {
  const [redisPort, rpcPortA, p2pPortA, rpcPortB, p2pPortB] = await freePorts(5);
  const redis: PrivateRedis = {
    port: redisPort,
    password: randomBytes(16).toString("hex"),
    directory: join(run.data, "redis"),
  };
  const a = { datadir: join(run.data, "litecoind-a"), rpcPort: rpcPortA, p2pPort: p2pPortA };
  const b = { datadir: join(run.data, "litecoind-b"), rpcPort: rpcPortB, p2pPort: p2pPortB, connectTo: p2pPortA };
  for (const folder of [redis.directory, a.datadir, b.datadir]) await mkdir(folder, { mode: 0o700 });
  await writeFile(join(run.path, "redis.conf"), redisConfiguration(redis), { mode: 0o600 });
  const stratumPort = await portOrFree(STRATUM_PORT);
  const [rpcA, rpcB] = [daemon("litecoind-a", a), daemon("litecoind-b", b)];
  const configFile = join(run.path, "headframe.toml");
  let booted: Promise<void> | undefined;
  const boot = async () => {
    const { payoutAddress } = await bootRegtest(rpcA, rpcB, tell, { mweb: true });
    const spool = join(run.data, "spool"); // Of this run only, as its Redis.
    const text = configuration({ redis, daemons: [a, b], payoutAddress, stratumPort, rigs: 4, spool });
    await writeFile(configFile, text, { mode: 0o600 });
  };
  const answers = (rpc: DaemonRpc, signal: AbortSignal) =>
    until(signal, () => rpc.call("getblockcount", [], z.number()));
  const watchers: Readonly<Record<string, (signal: AbortSignal) => Promise<void>>> = {
    redis: (signal) => until(signal, () => ping(redis)),
    "litecoind-a": (signal) => answers(rpcA, signal),
    "litecoind-b": async (signal) => {
      await answers(rpcB, signal);
      booted ??= boot(); // Once a run: a restarted node finds its chain on disk.
      await booted;
    },
  };
  return {
    configFile,
    stratumPort,
    environment: {
      HEADFRAME_LITECOIND_A: quoted(litecoindArguments(a)),
      HEADFRAME_LITECOIND_B: quoted(litecoindArguments(b)),
    },
    watchers: Object.keys(watchers),
    endLongPolls: () => endLongPolls(rpcA, rpcB),
    ready: (watcher, signal) => watchers[watcher]?.(signal),
    pay: (signal, log) => pay(rpcA, signal, log),
    askChain: (hashes) => askChain(rpcA, hashes),
    close: () => {
      rpcA.close();
      rpcB.close();
    },
  };
}

const daemon = (name: string, place: LitecoindPlace): DaemonRpc =>
  new DaemonRpc({
    name,
    url: `http://127.0.0.1:${place.rpcPort}`,
    cookieFile: cookieFile(place.datadir),
    timeoutMs: RPC_TIMEOUT_MS,
  });

function configuration(it: {
  redis: PrivateRedis;
  daemons: readonly LitecoindPlace[];
  payoutAddress: string;
  stratumPort: number;
  rigs: number;
  spool: string;
}): string {
  return stringify({
    redis: { url: redisUrl(it.redis) },
    jobmanager: {
      coin: "litecoin",
      network: "regtest",
      payout: { address: it.payoutAddress },
      daemons: it.daemons.map((place) => ({
        name: place.connectTo === undefined ? "litecoind-a" : "litecoind-b",
        url: `http://127.0.0.1:${place.rpcPort}`,
        cookieFile: cookieFile(place.datadir),
      })),
    },
    reporter: { spool: { directory: it.spool } },
    haproxy: { listeners: [{ name: "default", host: "127.0.0.1", port: it.stratumPort }] },
    miner: { port: it.stratumPort, rigs: it.rigs },
  });
}

async function ping(redis: PrivateRedis): Promise<void> {
  const client = new Redis(redisUrl(redis), { lazyConnect: true, retryStrategy: () => null });
  client.on("error", () => {}); // ping() tells.
  try {
    await client.connect();
    await client.ping();
  } finally {
    client.disconnect();
  }
}

/** Tries until it succeeds or the signal says that there is no use. */
async function until(signal: AbortSignal, attempt: () => Promise<unknown>): Promise<void> {
  for (;;) {
    signal.throwIfAborted();
    try {
      await attempt();
      return;
    } catch {
      await delay(LOOK_EVERY_MS, undefined, { signal });
    }
  }
}

async function pay(rpc: DaemonRpc, signal: AbortSignal, log: Log): Promise<void> {
  while (!signal.aborted) {
    await delay(PAYMENT_MS, undefined, { signal }).catch(() => {});
    if (signal.aborted) return;
    try {
      await rpc.call("sendtoaddress", [await newAddress(rpc, "bech32"), 0.01], z.string(), { signal });
    } catch (error) {
      if (!(error instanceof RpcError) && !signal.aborted) throw error;
      log.debug({ err: error }, "no payment this time");
    }
  }
}

async function endLongPolls(rpcA: DaemonRpc, rpcB: DaemonRpc): Promise<void> {
  try {
    await mine(rpcA, await newAddress(rpcA, "bech32"), 1);
    const height = await heightOf(rpcA);
    await until(AbortSignal.timeout(RPC_TIMEOUT_MS), async () => {
      if ((await heightOf(rpcB)) < height) throw new Error("not there yet");
    });
  } catch (error) {
    // A node that is gone, or never came up, holds nothing.
    if (!(error instanceof RpcError) && !(error instanceof DOMException)) throw error;
  }
}

async function askChain(rpc: DaemonRpc, hashes: readonly string[]) {
  let inChain = 0;
  const header = z.object({ confirmations: z.number() });
  for (const hash of hashes) {
    const { confirmations } = await rpc.call("getblockheader", [hash], header);
    if (confirmations > 0) inChain += 1;
  }
  const height = await rpc.call("getblockcount", [], z.number());
  return { inChain, height, mweb: height >= MWEB_HEIGHT };
}

/** As words of a circus.ini command. */
const quoted = (words: readonly string[]): string =>
  words.map((word) => `'${word.replaceAll("'", `'"'"'`)}'`).join(" ");
