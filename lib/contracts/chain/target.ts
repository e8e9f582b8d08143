// Targets and difficulties. A hash, read as a little-endian number, must not exceed the target.
//
//   network target  <- `bits`, the compact form: mantissa x 256^(exponent - 3)
//   share target    <- difficulty: target(difficulty 1) / difficulty
//
// Difficulty 1 is Bitcoin's on sha256d coins; on scrypt coins pools and miners count in units 65,536 times easier (source:
// pooler/cpuminer, "diff / 65536"; cgminer and every scrypt pool agree).

import type { Difficulty } from "../ids.js";
import type { ProofOfWorkName } from "../jobs.js";

const BITCOIN_DIFFICULTY_1 = 0xffffn << 208n;
const LARGEST = (1n << 256n) - 1n;
const UNITS: Readonly<Record<ProofOfWorkName, bigint>> = { sha256d: 1n, scrypt: 65_536n };

/** The target of difficulty 1, exact and as a number: both are needed for every share. */
const EASIEST = (name: ProofOfWorkName) => {
  const exact = BITCOIN_DIFFICULTY_1 * UNITS[name];
  return { exact, number: Number(exact), hashes: Number((1n << 256n) / exact) };
};
const ONE: Readonly<Record<ProofOfWorkName, ReturnType<typeof EASIEST>>> = {
  sha256d: EASIEST("sha256d"),
  scrypt: EASIEST("scrypt"),
};

/** Expected hashes for one share of difficulty 1: about 2^32 for sha256d, 2^16 for scrypt. */
export const hashesPerDifficulty = (name: ProofOfWorkName): number => ONE[name].hashes;

/** @throws {RangeError} when bits encode a negative, zero or oversized target. */
export function bitsToTarget(bits: number): bigint {
  const exponent = bits >>> 24;
  const mantissa = BigInt(bits & 0x7f_ffff);
  if (bits & 0x80_0000) throw new RangeError(`bits ${hex(bits)} encode a negative target`);
  const target = exponent <= 3 ? mantissa >> BigInt(8 * (3 - exponent)) : mantissa << BigInt(8 * (exponent - 3));
  if (target <= 0n || target > LARGEST) throw new RangeError(`bits ${hex(bits)} encode no usable target`);
  return target;
}

/** The largest hash that still counts. Clamped to 2^256 - 1. */
export function difficultyToTarget(name: ProofOfWorkName, difficulty: Difficulty): bigint {
  // A double times a power of two is exact, so this loses nothing of the difficulty for values above 2^-64.
  const scaled = BigInt(Math.max(1, Math.round(difficulty * 2 ** 64)));
  const target = (ONE[name].exact << 64n) / scaled;
  return target > LARGEST ? LARGEST : target;
}

/** As exact as a number can be. */
export function targetToDifficulty(name: ProofOfWorkName, target: bigint): Difficulty {
  return (ONE[name].number / (target > 0n ? Number(target) : 1)) as Difficulty;
}

/** A proof-of-work hash as the number that is compared with targets. */
export function hashToNumber(hash: Uint8Array): bigint {
  const view = Buffer.from(hash.buffer, hash.byteOffset, hash.byteLength);
  return (
    (view.readBigUInt64LE(24) << 192n) |
    (view.readBigUInt64LE(16) << 128n) |
    (view.readBigUInt64LE(8) << 64n) |
    view.readBigUInt64LE(0)
  );
}

const hex = (bits: number): string => (bits >>> 0).toString(16).padStart(8, "0");
