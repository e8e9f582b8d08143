// Writable: whether a share can be written as what it is. Asked before Redis or the disk sees it, and when it is read back: one that
// cannot is refused alone, and never takes its batch with it. Pure.

import type { CreditedShare } from "./ports.js";

/** Of the texts of a share: twice the longest that the contract takes, a worker's name. */
export const TEXT_BYTES_MAX = 256;
/** Beyond any difficulty that a target can have (2^224), and 2^60 of them still have a sum: an endless one stops Redis' script half way. */
const NUMBER_MAX = 2 ** 256;

export function isWritable({ share, hashes }: CreditedShare): boolean {
  const { identity, connection, worker, job } = share;
  return (
    identity.length === 32 &&
    [connection, worker, job].every((text) => Buffer.byteLength(text) <= TEXT_BYTES_MAX) &&
    [share.difficulty, share.achieved, hashes].every((number) => number > 0 && number <= NUMBER_MAX)
  );
}
