// From a block template to a job: what a miner needs to hash and stratum needs to judge.
//
//   Template + payout, tag, extranonce sizes + a fresh id -> Job -> push
//
//   K1. The merkle branch comes from the template's txids, never from hashing `data`: Litecoin's HogEx has a form of its own.
//   K2. `versionMask` leaves out the bits that the template has set or requires to stay set; and all from 16 up where the version is none
//       of BIP 9: there coins that are merge-mined have their chain id, and a block with another one is invalid.

import { chain, type EpochMs, type Job, type JobId, roomOf } from "../../lib/contracts/index.js";
import { type Output, SALT_BYTES, splitCoinbase } from "./coinbase.js";
import type { Coin } from "./coins/index.js";
import { hasSegwit, type Template } from "./template.js";

/** What is the same for every job of this pool. */
export interface Recipe {
  readonly coin: Coin;
  /** Output script of the reward. */
  readonly payoutScript: Uint8Array;
  readonly tag: Uint8Array;
  readonly extranonce1Size: number;
  readonly extranonce2Size: number;
  readonly versionMask: number;
}

export interface JobFacts {
  readonly id: JobId;
  readonly clean: boolean;
  readonly templateAt: EpochMs;
}

/** @throws {RangeError} when the template's coinbaseaux and the tag do not fit into a coinbase. */
export function makeJob(template: Template, recipe: Recipe, facts: JobFacts): Job {
  const { coinbase1, coinbase2 } = splitCoinbase({
    height: template.height,
    aux: Buffer.concat(Object.values(template.coinbaseaux).map(fromHex)),
    salt: fromHex(facts.id.padStart(2 * SALT_BYTES, "0")),
    extranonceBytes: roomOf(recipe),
    tag: recipe.tag,
    outputs: outputsOf(template, recipe),
  });
  return {
    ...facts,
    coin: recipe.coin.name,
    network: recipe.coin.network.chain,
    proofOfWork: recipe.coin.proofOfWork,
    height: template.height,
    previousHash: chain.parseDisplayHash(template.previousblockhash),
    coinbase1,
    coinbase2,
    extranonce1Size: recipe.extranonce1Size,
    extranonce2Size: recipe.extranonce2Size,
    merkleBranch: chain.merkleBranch(template.transactions.map((tx) => chain.parseDisplayHash(tx.txid))),
    version: template.version >>> 0,
    versionMask: rollable(template, recipe.versionMask),
    bits: Number.parseInt(template.bits, 16),
    time: template.curtime,
    timeMin: template.mintime ?? template.curtime,
  };
}

/** K2 */
function rollable({ version, vbrequired }: Template, mask: number): number {
  const free = version >>> 29 === BIP9_TOP_BITS ? mask : mask & BELOW_CHAIN_ID;
  return (free & ~version & ~vbrequired) >>> 0;
}

const BIP9_TOP_BITS = 0b001;
const BELOW_CHAIN_ID = 0xffff;

function outputsOf(template: Template, recipe: Recipe): Output[] {
  const payout: Output = { value: template.coinbasevalue, script: recipe.payoutScript };
  const commitment = template.default_witness_commitment;
  return commitment === undefined || !hasSegwit(template)
    ? [payout]
    : [payout, { value: 0, script: fromHex(commitment) }];
}

const fromHex = (hex: string): Buffer => Buffer.from(hex, "hex");

/**
 * Ids that no other jobmanager gives out: counted up from a random number of 32 bits. 8 hex digits: with the variant that stratum adds,
 * a name has the 15 that small firmware keeps.
 */
export function jobIds(start: number): () => JobId {
  let next = start >>> 0;
  return () => {
    next = (next + 1) >>> 0;
    return next.toString(16).padStart(2 * SALT_BYTES, "0") as JobId;
  };
}
