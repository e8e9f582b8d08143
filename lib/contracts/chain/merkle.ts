// The merkle tree of a block, seen from its coinbase: only the coinbase changes from share to share, so its siblings on the
// way up are computed once a job and miners get them as a list.

import { HASH_BYTES, sha256d, sha256dInto } from "./hash.js";

/**
 * The coinbase's siblings, lowest first.
 *
 * @param txids of all other transactions, in block order, internal byte order.
 */
export function merkleBranch(txids: readonly Uint8Array[]): Buffer[] {
  const branch: Buffer[] = [];
  // Index 0 of each level is the unknown path from the coinbase; the levels hold what stands right of it.
  let level: Uint8Array[] = [...txids];
  while (level.length > 0) {
    const [sibling, ...rest] = level;
    if (!sibling) break;
    branch.push(Buffer.from(sibling));
    const next: Uint8Array[] = [];
    for (let i = 0; i < rest.length; i += 2) {
      const left = rest[i];
      if (!left) break;
      // An odd one out is paired with itself.
      next.push(sha256d(Buffer.concat([left, rest[i + 1] ?? left])));
    }
    level = next;
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
