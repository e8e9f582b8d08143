// regtest: a private chain of two real litecoind that gives block templates within seconds.
//
//   litecoindArguments(place) x 2 -> whoever starts processes -> bootRegtest(rpcA, rpcB) -> a chain with money in a wallet
//
// Facts that shaped it (Litecoin Core 0.21): a template needs a peer, so there are two nodes; it is refused during initial
// block download, so one block is mined first; MWEB activates at height 432, and that very block needs a peg-in, without
// which no further block can be made.
//
//   G1. Everything listens on loopback, looks for no peers, and keeps all it writes in its data directory.

import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { type DaemonRpc, RpcError } from "../services/jobmanager/out-rpc.js";

/** The first block under MWEB rules on regtest. */
export const MWEB_HEIGHT = 432;
/** A reward can be spent after 100 further blocks. */
const MATURITY = 100;
/** Blocks by one RPC call: well below its timeout on a slow machine (a block takes about 2 ms). */
const BLOCKS_A_CALL = 100;
const LOOK_EVERY_MS = 50;
/** A node answers within a second; a busy machine gets time. */
const BOOT_MS = 60_000;

export interface LitecoindPlace {
  /** Must exist. */
  readonly datadir: string;
  readonly rpcPort: number;
  readonly p2pPort: number;
  /** The other node's p2pPort. One of the two has it. */
  readonly connectTo?: number;
}

/** Arguments for `litecoind`, in the foreground. Credentials: see cookieFile. */
export function litecoindArguments(place: LitecoindPlace): string[] {
  return [
    "-regtest",
    "-server",
    `-datadir=${place.datadir}`,
    `-rpccookiefile=${cookieFile(place.datadir)}`,
    "-rpcbind=127.0.0.1",
    "-rpcallowip=127.0.0.1",
    `-rpcport=${place.rpcPort}`,
    `-bind=127.0.0.1:${place.p2pPort}`,
    // A long poll holds a thread until the next block, even when its client is gone: enough for some restarts of ours.
    "-rpcthreads=16",
    "-rpcworkqueue=64",
    "-listenonion=0",
    "-discover=0",
    "-dnsseed=0",
    "-upnp=0",
    place.connectTo === undefined ? "-connect=0" : `-connect=127.0.0.1:${place.connectTo}`,
    "-listen=1",
    "-fallbackfee=0.0001",
    // Small: the chain has a few hundred empty blocks.
    "-dbcache=4",
    "-maxmempool=50",
    "-maxsigcachesize=4",
    "-par=1",
    "-maxconnections=32", // Ten of them are kept for outgoing connections.
    "-keypool=20",
    "-printtoconsole=0",
  ];
}

/** Where a node leaves its RPC credentials; they are there as soon as RPC listens, and new after each start. */
export const cookieFile = (datadir: string): string => join(datadir, "rpc.cookie");

export interface BootOptions {
  /** True: the chain goes past MWEB_HEIGHT, so that templates carry `mweb` and a HogEx. False: it stays below. */
  readonly mweb: boolean;
  /** Without MWEB: true mines until the wallet can spend a few rewards. Default false: one block only. */
  readonly mature?: boolean;
  /** Gives up at once, with its reason: a node has ended. */
  readonly signal?: AbortSignal;
}

export interface Regtest {
  /** Of node A's wallet. */
  readonly payoutAddress: string;
  readonly height: number;
}

/**
 * Makes node A ready to give templates and both of one mind. Blocks and money belong to A's wallet, named `pool`.
 *
 * @param log gets one line a step.
 * @throws {Error} when a node does not come up within 60 s; or the signal's reason.
 */
export async function bootRegtest(
  rpcA: DaemonRpc,
  rpcB: DaemonRpc,
  log: (line: string) => void,
  options: BootOptions,
): Promise<Regtest> {
  const wait = (what: string, condition: () => Promise<boolean>) => waitFor(what, condition, options.signal);
  await wait("both nodes answer", () => Promise.all([heightOf(rpcA), heightOf(rpcB)]).then(() => true));
  await wait("the nodes are connected", async () => (await rpcA.call("getconnectioncount", [], z.number())) > 0);
  log("two litecoind are up and connected");
  await rpcA.call("createwallet", ["pool"], z.unknown());
  const payoutAddress = await newAddress(rpcA, "bech32");
  await mine(rpcA, payoutAddress, 1);
  if (options.mweb) await activateMweb(rpcA, payoutAddress, log);
  else if (options.mature) await mineTo(rpcA, payoutAddress, MATURITY + 10);
  const height = await heightOf(rpcA);
  await wait("both nodes have the same chain", async () => (await heightOf(rpcB)) === height);
  await wait("a block template is to be had", async () => {
    await rpcA.call("getblocktemplate", [{ rules: ["mweb", "segwit"] }], z.object({ height: z.number() }));
    return true;
  });
  log(`the chain stands at height ${height}${options.mweb ? ", MWEB is active" : ""}`);
  return { payoutAddress, height };
}

async function activateMweb(rpc: DaemonRpc, address: string, log: (line: string) => void): Promise<void> {
  await mineTo(rpc, address, MWEB_HEIGHT - 1);
  log(`mined to height ${MWEB_HEIGHT - 1}; the next block needs a peg-in`);
  await rpc.call("sendtoaddress", [await newAddress(rpc, "mweb"), 1], z.string());
  await mineTo(rpc, address, MWEB_HEIGHT + 1);
}

export const heightOf = (rpc: DaemonRpc): Promise<number> => rpc.call("getblockcount", [], z.number());

export const newAddress = (rpc: DaemonRpc, kind: "bech32" | "legacy" | "p2sh-segwit" | "mweb"): Promise<string> =>
  rpc.call("getnewaddress", ["", kind], z.string());

/** Mines `count` blocks by the node itself. Returns their ids. */
export async function mine(rpc: DaemonRpc, address: string, count: number): Promise<string[]> {
  const hashes: string[] = [];
  while (hashes.length < count) {
    const some = Math.min(BLOCKS_A_CALL, count - hashes.length);
    hashes.push(...(await rpc.call("generatetoaddress", [some, address], z.array(z.string()), { timeoutMs: BOOT_MS })));
  }
  return hashes;
}

async function mineTo(rpc: DaemonRpc, address: string, height: number): Promise<void> {
  await mine(rpc, address, Math.max(0, height - (await heightOf(rpc))));
}

async function waitFor(what: string, condition: () => Promise<boolean>, signal?: AbortSignal): Promise<void> {
  const end = performance.now() + BOOT_MS;
  let last: unknown;
  while (performance.now() < end) {
    try {
      if (await condition()) return;
    } catch (error) {
      if (!(error instanceof RpcError)) throw error;
      last = error;
    }
    signal?.throwIfAborted();
    await sleep(LOOK_EVERY_MS);
  }
  throw new Error(`waited ${BOOT_MS} ms in vain until ${what}`, { cause: last });
}
