// The merkle tree of a block, seen from its coinbase: only the coinbase changes from share to share, so its siblings on the
// way up are computed once a job and miners get them as a list.

import { HASH_BYTES, sha256dInto } from "./hash.js";

/**
 * The coinbase's siblings, lowest first.
 *
 * @param txids of all other transactions, in block order, internal byte order.
 */
export function merkleBranch(txids: readonly Uint8Array[]): Buffer[] {
  const branch: Buffer[] = [];
  // Index 0 of each level is the unknown path from the coinbase; the level holds what stands right of it. Each is hashed into the place
  // of the one before, which lies in one buffer with room for one more: thousands of small ones would cost more than their hashes.
  const level = Buffer.allocUnsafe((txids.length + 1) * HASH_BYTES);
  for (const [i, txid] of txids.entries()) level.set(txid, i * HASH_BYTES);
  for (let count = txids.length; count > 0; count = count >> 1) {
    branch.push(Buffer.from(level.subarray(0, HASH_BYTES)));
    // An odd one out is paired with itself.
    if (count % 2 === 0) level.copyWithin(count * HASH_BYTES, (count - 1) * HASH_BYTES, count * HASH_BYTES);
    for (let i = 0; i < count >> 1; i++) {
      const pair = (2 * i + 1) * HASH_BYTES;
      sha256dInto(level.subarray(pair, pair + 2 * HASH_BYTES), level, i * HASH_BYTES);
    }
  }
  return branch;
}

/** A new buffer; all levels of the way up are hashed in one place. */
export function merkleRoot(coinbaseId: Uint8Array, branch: readonly Uint8Array[]): Uint8Array {
  const pair = Buffer.allocUnsafe(2 * HASH_BYTES);
  pair.set(coinbaseId, 0);
  for (const sibling of branch) {
    pair.set(sibling, HASH_BYTES);
    sha256dInto(pair, pair, 0);
  }
  return pair.subarray(0, HASH_BYTES);
}
