// What a miner computes: from the pool's work to headers, and from a header to "is it a share?". Pure.

import { chain, type Difficulty, type ProofOfWorkName } from "../../lib/contracts/index.js";
import type { Work } from "./client.js";

export interface Attempt {
  readonly jobId: string;
  readonly extranonce2: string;
  readonly time: string;
  readonly nonce: string;
  readonly header: Buffer;
}

/** Header for one (extranonce2, nonce), built the way firmware builds it: from the hex of the wire. */
export function attempt(work: Work, extranonce1: string, extranonce2: string, nonce: number): Attempt {
  const coinbase = Buffer.from(work.coinbase1 + extranonce1 + extranonce2 + work.coinbase2, "hex");
  const branch = work.branches.map((sibling) => Buffer.from(sibling, "hex"));
  const header = chain.encodeHeader({
    version: Number.parseInt(work.version, 16),
    previousHash: swapWords(Buffer.from(work.previousHash, "hex")),
    merkleRoot: chain.merkleRoot(chain.sha256d(coinbase), branch),
    time: Number.parseInt(work.time, 16),
    bits: Number.parseInt(work.bits, 16),
    nonce,
  });
  return { jobId: work.jobId, extranonce2, time: work.time, nonce: hex32(nonce), header };
}

/** True: its hash does not exceed the target of the difficulty that the work came with. */
export function isShare(name: ProofOfWorkName, header: Uint8Array, difficulty: number): boolean {
  const hash = chain.hashToNumber(chain.proofOfWork(name).hash(header));
  return hash <= chain.difficultyToTarget(name, difficulty as Difficulty);
}

/** The next share of this work from `nonce` on. At most `tries` hashes; undefined when none was found. */
export function nextShare(
  name: ProofOfWorkName,
  work: Work,
  extranonce1: string,
  extranonce2: string,
  nonce = 0,
  tries = 1_000_000,
): Attempt | undefined {
  for (let n = nonce; n < nonce + tries; n++) {
    const found = attempt(work, extranonce1, extranonce2, n);
    if (isShare(name, found.header, work.difficulty)) return found;
  }
  return undefined;
}

export const hex32 = (value: number): string => (value >>> 0).toString(16).padStart(8, "0");

/** Stratum sends the previous hash with each 4-byte word swapped. */
function swapWords(hash: Buffer): Buffer {
  return Buffer.from(hash).swap32();
}
