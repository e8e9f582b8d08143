// Variants: what makes each announcement of a job different work. Pure.
//
//   coinbase = coinbase1 | 0 and the variant's 7 hex digits, 4 bytes | extranonce1 | extranonce2 | coinbase2
//   name     = <job id, at most 8 hex digits><variant, 7 hex digits>        variant = difficulty (4 digits) | salt (3 digits)
//
// The miner hashes the variant and sends it back in the name, so a share's difficulty was fixed before its hash was known: promise S4,
// the credit of a set of hashes does not depend on how they are submitted. Whoever submits a hash under another name submits another
// header, with another hash. No table of what was announced to whom is needed: any instance reads the difficulty in the name.
//
// A name has at most 15 hex digits: small firmware keeps no more. So a difficulty is rounded to what 16 bits can say: a mantissa of 9
// bits, times a power of two or of ten, whichever comes nearer.

import { type Difficulty, type JobId, jobId, VARIANT_BYTES } from "../../lib/contracts/index.js";

const MANTISSA_MAX = 511;
const EXPONENTS = 64;
/** 2^-40 to 2^23, 10^-16 to 10^47: what difficulties of share and network need, and more. */
const RADIXES = [
  { base: 2, least: -40 },
  { base: 10, least: -16 },
] as const;
const DIFFICULTY_DIGITS = 4;
const SALT_DIGITS = 3;
const HEX_DIGITS = DIFFICULTY_DIGITS + SALT_DIGITS;
/** Tells announcements of one job and difficulty apart. */
export const SALT_MAX = 16 ** SALT_DIGITS - 1;
/** Seconds that an announcement's header time may lie after its job's: leaves miners half of the 7,200 s for rolling of their own. */
export const AHEAD_MAX = 3_600;

/** The greatest difficulty not above `value` that a variant can hold; whole from 1 up. @throws {RangeError} when none can. */
export const quantized = (value: number): Difficulty => nearest(value).difficulty;

/** 7 hex digits. @param difficulty `quantized`. @param salt 0 to SALT_MAX. */
export function encodeVariant(difficulty: Difficulty, salt: number): string {
  const { code } = nearest(difficulty);
  return hex(code, DIFFICULTY_DIGITS) + hex(salt, SALT_DIGITS);
}

const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, "0");

/** An announcement, by the name that miners submit its shares under. */
export interface Announced {
  readonly job: JobId;
  readonly difficulty: Difficulty;
  /** 7 hex digits. */
  readonly variant: string;
}

export const nameOf = (job: JobId, variant: string): string => job + variant;

/** Undefined: nothing was ever announced under such a name. Letters of either case count, as some firmware changes it. */
export function readName(name: string): Announced | undefined {
  const lower = name.toLowerCase();
  const job = jobId.safeParse(lower.slice(0, -HEX_DIGITS));
  const variant = lower.slice(-HEX_DIGITS);
  if (!job.success || !/^[0-9a-f]+$/.test(variant)) return undefined;
  const difficulty = difficultyOf(Number.parseInt(variant.slice(0, DIFFICULTY_DIGITS), 16));
  return difficulty === undefined ? undefined : { job: job.data, difficulty, variant };
}

/** As it stands in the coinbase: VARIANT_BYTES bytes, hex. */
export const variantBytes = (variant: string): string => variant.padStart(2 * VARIANT_BYTES, "0");

/** radix (1 bit) | exponent (6 bits) | mantissa (9 bits) */
function difficultyOf(code: number): Difficulty | undefined {
  const radix = RADIXES[code >> 15];
  const mantissa = code & MANTISSA_MAX;
  if (!radix || mantissa === 0) return undefined;
  return times(mantissa, radix.base, ((code >> 9) & (EXPONENTS - 1)) + radix.least) as Difficulty;
}

/** Exact, or the nearest double: the same on every instance. */
const times = (mantissa: number, base: 2 | 10, exponent: number): number =>
  base === 2 ? mantissa * 2 ** exponent : Number(`${mantissa}e${exponent}`);

/** Retargets and wishes repeat: what a pool uses at a time is a handful. */
const known = new Map<number, { readonly difficulty: Difficulty; readonly code: number }>();
const KNOWN_MAX = 4_096;

function nearest(value: number) {
  let found = known.get(value);
  if (found === undefined) {
    found = search(value);
    if (known.size >= KNOWN_MAX) known.clear();
    known.set(value, found);
  }
  return found;
}

function search(value: number): { difficulty: Difficulty; code: number } {
  const wanted = value >= 1 ? Math.floor(value) : value;
  let best = { difficulty: 0 as Difficulty, code: 0 };
  RADIXES.forEach(({ base, least }, radix) => {
    for (let exponent = 0; exponent < EXPONENTS; exponent++) {
      const unit = times(1, base, exponent + least);
      let mantissa = Math.min(MANTISSA_MAX, Math.floor(wanted / unit) + 1); // The quotient may have been rounded down, or up.
      while (mantissa > 0 && times(mantissa, base, exponent + least) > wanted) mantissa -= 1;
      const difficulty = times(mantissa, base, exponent + least);
      if (!(mantissa > 0) || difficulty <= best.difficulty) continue;
      if (difficulty >= 1 && !Number.isInteger(difficulty)) continue; // Widespread firmware cuts fractions off.
      best = { difficulty: difficulty as Difficulty, code: (radix << 15) | (exponent << 9) | mantissa };
    }
  });
  if (!(best.difficulty > 0)) throw new RangeError(`${value} is no difficulty, or too small for a variant`);
  return best;
}
