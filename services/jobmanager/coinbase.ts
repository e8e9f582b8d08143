// The coinbase: the transaction that pays the pool and carries the miners' search space.
//
//   version | one input: script = height, daemon's aux, [salt, variant extranonce1 extranonce2], tag | outputs | lock time
//   `------------- coinbase1 ------------------------'                        `------- coinbase2 ------------'
//
//   B1. Split and hashed without its witness (a transaction's id leaves it out); the witness is put in for the block only.
//   B2. The salt is the job's id, so no two jobs, whoever made them, ever give the same header to hash: the same work done
//       twice would be a duplicate share through no fault of the miner.
//   B3. The script has 2 to 100 bytes, as consensus demands; a template whose aux leaves no room is refused.
//
// Sources: BIP 34 (height), BIP 22 (coinbaseaux), BIP 141 (witness commitment and the reserved value of 32 zero bytes).

import { compactSize, pushBytes, pushNumber, pushPrefix, uint32LE, uint64LE } from "./bytes.js";

export const SALT_BYTES = 4;
const SCRIPT_BYTES_MAX = 100;
const TRANSACTION_VERSION = uint32LE(2);
const NULL_OUTPOINT = Buffer.concat([Buffer.alloc(32, 0), Buffer.alloc(4, 0xff)]);
const SEQUENCE_FINAL = Buffer.alloc(4, 0xff);
const LOCK_TIME = uint32LE(0);

export interface Output {
  /** Smallest units of the coin. */
  readonly value: number;
  readonly script: Uint8Array;
}

export interface CoinbaseFields {
  /** Of the block to be found. */
  readonly height: number;
  /** The template's coinbaseaux values, concatenated. */
  readonly aux: Uint8Array;
  /** SALT_BYTES bytes that no other job has. */
  readonly salt: Uint8Array;
  /** Room for the variant, extranonce1 and extranonce2 together. */
  readonly extranonceBytes: number;
  readonly tag: Uint8Array;
  /** In order; the witness commitment among them. */
  readonly outputs: readonly Output[];
}

/** @throws {RangeError} when the script would not fit (B3). */
export function splitCoinbase(fields: CoinbaseFields): { coinbase1: Buffer; coinbase2: Buffer } {
  const before = Buffer.concat([
    pushNumber(fields.height),
    fields.aux,
    pushPrefix(fields.salt.length + fields.extranonceBytes),
    fields.salt,
  ]);
  const after = fields.tag.length > 0 ? pushBytes(fields.tag) : Buffer.alloc(0);
  const length = before.length + fields.extranonceBytes + after.length;
  if (length > SCRIPT_BYTES_MAX) {
    throw new RangeError(
      `the coinbase script would have ${length} bytes, consensus allows ${SCRIPT_BYTES_MAX}: ` +
        `the template's coinbaseaux takes ${fields.aux.length} and the pool's tag ${fields.tag.length}; shorten the tag`,
    );
  }
  return {
    coinbase1: Buffer.concat([TRANSACTION_VERSION, compactSize(1), NULL_OUTPOINT, compactSize(length), before]),
    coinbase2: Buffer.concat([
      after,
      SEQUENCE_FINAL,
      compactSize(fields.outputs.length),
      ...fields.outputs.map(encodeOutput),
      LOCK_TIME,
    ]),
  };
}

const encodeOutput = ({ value, script }: Output): Buffer =>
  Buffer.concat([uint64LE(value), compactSize(script.length), script]);

const MARKER_AND_FLAG = Buffer.from([0x00, 0x01]);
/** One stack item of 32 zero bytes: the reserved value that every daemon puts there. */
const WITNESS = Buffer.concat([Buffer.from([0x01, 0x20]), Buffer.alloc(32, 0)]);

/** The same coinbase as it stands in a block with a witness commitment (B1). */
export function withWitness(coinbase: Uint8Array): Buffer {
  const end = coinbase.length - LOCK_TIME.length;
  return Buffer.concat([
    coinbase.subarray(0, TRANSACTION_VERSION.length),
    MARKER_AND_FLAG,
    coinbase.subarray(TRANSACTION_VERSION.length, end),
    WITNESS,
    coinbase.subarray(end),
  ]);
}
