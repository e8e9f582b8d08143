// mining: what a miner does with a job, without a pool in between. Fine on regtest, where every second hash is a block.

import { chain, type Job, roomOf } from "../../lib/contracts/index.js";

export interface Solved {
  readonly header: Buffer;
  /** Non-witness serialization. */
  readonly coinbase: Buffer;
  /** As daemons show it. */
  readonly hash: string;
}

let extranonce = 0;

/** Hashes until the network target is met. Every call has its own extranonce, so never finds the same block twice. */
export function solve(job: Job, attemptsMax = 10_000): Solved {
  const room = Buffer.alloc(roomOf(job));
  room.writeUInt32BE(++extranonce, room.length - 4);
  const coinbase = Buffer.concat([job.coinbase1, room, job.coinbase2]);
  const merkleRoot = chain.merkleRoot(chain.sha256d(coinbase), job.merkleBranch);
  const target = chain.bitsToTarget(job.bits);
  const proofOfWork = chain.proofOfWork(job.proofOfWork);
  for (let nonce = 0; nonce < attemptsMax; nonce++) {
    const { version, previousHash, bits, time } = job;
    const header = chain.encodeHeader({ version, previousHash, merkleRoot, time, bits, nonce });
    if (chain.hashToNumber(proofOfWork.hash(header)) > target) continue;
    return { header, coinbase, hash: chain.displayHash(chain.headerId(header)) };
  }
  throw new Error(`no block in ${attemptsMax} hashes: this is not regtest`);
}
