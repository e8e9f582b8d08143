// The summary of an unattended run: measured, each figure asked of the part that knows it.

import { miner } from "../../demo/miner/contract.js";
import { reporter } from "../../lib/contracts/index.js";
import type { House } from "../../lib/wiring/index.js";
import { shareKeys } from "../../services/reporter/keys.js";
import type { Embedded } from "./embedded.js";

const ASK_MS = 15_000;
const BLOCKS_MAX = 1_000;

/** Written as one JSON object by `headframe up --for SECONDS --summary FILE`. */
export interface Summary {
  /** From all up to the end of the time asked for. */
  readonly seconds: number;
  /** Blocks that daemons accepted, as the reporter recorded them; at most the last 1,000. */
  readonly blocksFound: number;
  /** Of those, the ones that litecoind has in its best chain. */
  readonly blocksInChain: number;
  /** Answers `true` that the miner got. */
  readonly sharesAccepted: number;
  /** Shares that the log in Redis was given. */
  readonly sharesRecorded: number;
  /** Refusals that the miner got. */
  readonly sharesRejected: number;
  /** Connections that the miner lost. */
  readonly disconnects: number;
  readonly height: number;
  /** True: MWEB is active at that height. */
  readonly mweb: boolean;
}

/** Stops the miner first, so that every figure counts the same shares. */
export async function measure(house: House, embedded: Embedded, seconds: number): Promise<Summary> {
  const options = { timeoutMs: ASK_MS };
  const miners = house.nexus.client(miner);
  await miners.call("stop", {}, options);
  const { rigs } = await miners.call("status", {}, options);
  const { blocks } = await house.nexus.client(reporter).call("blocks", { limit: BLOCKS_MAX }, options);
  const { inChain, height, mweb } = await embedded.askChain(blocks.map((block) => block.hash));
  const sum = (figure: (rig: (typeof rigs)[number]) => number) => rigs.reduce((total, rig) => total + figure(rig), 0);
  return {
    seconds: Math.round(seconds * 10) / 10,
    blocksFound: blocks.length,
    blocksInChain: inChain,
    sharesAccepted: sum((rig) => rig.accepted),
    sharesRecorded: await entriesAdded(house),
    sharesRejected: sum((rig) => Object.values(rig.rejected).reduce((total, count) => total + count, 0)),
    disconnects: sum((rig) => rig.disconnects),
    height,
    mweb,
  };
}

/** Redis' own count of what was ever added to the share log, whatever has been trimmed or archived since. */
async function entriesAdded(house: House): Promise<number> {
  const reply = await house.redis.shares.xinfo("STREAM", shareKeys(house.cluster).log);
  const at = Array.isArray(reply) ? reply.indexOf("entries-added") : -1;
  return Array.isArray(reply) ? Number(reply[at + 1]) : Number.NaN;
}
