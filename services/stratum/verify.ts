// Judging a share: the job it names and what was submitted -> a verdict.
//
//   submit + job -> assemble (coinbase, header) -> proof-of-work hash -> judge (block? then the rules, in order)
//
// Pure but for the hash, which runs off the event loop where it is dear.
//
//   S4. A share is judged by the difficulty in the name it was made for, which is a part of what was hashed (variant.ts). A name that no
//       instance announces, such as one harder than the block, earns nothing.
//   S3. A hash that meets the block target is a candidate before any rule refuses the share. So the header is built from what
//       the miner hashed, even with version bits or a time that the rules forbid, and hashed whoever sent it.

import { chain, type Difficulty, type Job, type ProofOfWorkName } from "../../lib/contracts/index.js";
import type { KnownJob } from "./jobs.js";
import { hex32 } from "./protocol/encode.js";
import { REFUSALS, type Refusal, refusal } from "./protocol/errors.js";
import { isRefusal } from "./protocol/fields.js";
import type { Submit } from "./protocol/requests.js";
import { type Announced, variantBytes } from "./variant.js";

/** What the session and the clock know of this submit. */
export interface Terms {
  readonly extranonce1: string;
  readonly authorized: boolean;
  /** The job's tip still counts. */
  readonly live: boolean;
  /** Too many shares of the connection were easier than what it was told last (allowance.ts). */
  readonly spent: boolean;
  /** S4 */
  readonly announced: Announced;
  /** No listener announces less. */
  readonly floor: Difficulty;
  /** Bits that this connection may roll. */
  readonly versionMask: number;
  /** How far the header's time may lie after the job's. */
  readonly timeAheadS: number;
}

/** A block, if the daemons agree. */
export interface Candidate {
  readonly job: Job;
  readonly header: Uint8Array;
  readonly coinbase: Uint8Array;
}

export interface GoodShare {
  readonly kind: "share";
  readonly identity: Uint8Array;
  readonly difficulty: Difficulty;
  readonly achieved: Difficulty;
  readonly candidate?: Candidate;
}
export type Verdict =
  | GoodShare
  | {
      readonly kind: "refused";
      readonly refusal: Refusal;
      /** Absent: its bytes could not be put together. */
      readonly identity?: Uint8Array;
      readonly candidate?: Candidate;
    };

export interface Assembled {
  readonly header: Buffer;
  readonly coinbase: Buffer;
}

/** Resolves at once, without a promise, where the hash function is cheap. */
export function verify(known: KnownJob, submit: Submit, terms: Terms): Promise<Verdict> | Verdict {
  const assembled = assemble(known.job, submit, terms);
  if (isRefusal(assembled)) return { kind: "refused", refusal: assembled };
  const hash = chain.proofOfWork(known.job.proofOfWork).hashSoon(assembled.header);
  if (hash instanceof Uint8Array) return judge(known, submit, terms, assembled, hash);
  return hash.then((late) => judge(known, submit, terms, assembled, late));
}

/** The bytes that the miner hashed. Only an extranonce2 of the wrong length stands in the way. */
export function assemble(
  job: Job,
  submit: Submit,
  terms: Pick<Terms, "extranonce1" | "versionMask" | "announced">,
): Assembled | Refusal {
  if (submit.extranonce2.length !== 2 * job.extranonce2Size)
    return refusal("other", `Invalid extranonce2: ${2 * job.extranonce2Size} hex digits are needed`);
  const coinbase = coinbaseOf(job, variantBytes(terms.announced.variant) + terms.extranonce1 + submit.extranonce2);
  const header = chain.encodeHeader({
    version: rolledVersion(job, submit.versionBits, terms.versionMask),
    previousHash: job.previousHash,
    merkleRoot: chain.merkleRoot(chain.sha256d(coinbase), job.merkleBranch),
    time: submit.time,
    bits: job.bits,
    nonce: submit.nonce,
  });
  return { header, coinbase };
}

/** @param middle Variant and extranonces, hex. */
function coinbaseOf({ coinbase1, coinbase2 }: Job, middle: string): Buffer {
  const at = coinbase1.length;
  const coinbase = Buffer.allocUnsafe(at + middle.length / 2 + coinbase2.length);
  coinbase.set(coinbase1, 0);
  coinbase.write(middle, at, "hex");
  coinbase.set(coinbase2, at + middle.length / 2);
  return coinbase;
}

/** `(job & ~mask) | bits`; bits outside the mask are kept here and refused later (S3). */
export function rolledVersion(job: Job, bits: number | undefined, mask: number): number {
  const allowed = (mask & job.versionMask) >>> 0;
  return bits === undefined ? job.version : ((job.version & ~allowed) | bits) >>> 0;
}

function judge(known: KnownJob, submit: Submit, terms: Terms, made: Assembled, hash: Uint8Array): Verdict {
  const { job, networkTarget } = known;
  const number = chain.hashToNumber(hash);
  const candidate = number <= networkTarget ? { candidate: { job, ...made } } : {}; // S3
  const { difficulty } = terms.announced;
  const broken = brokenRule(known, submit, terms);
  if (broken) return { kind: "refused", refusal: broken, identity: identityOf(job, made, hash), ...candidate };
  const achieved = chain.targetToDifficulty(job.proofOfWork, number);
  // A block is a share whatever rounding did to the difficulty that was told.
  if (!candidate.candidate && number > shareTarget(job.proofOfWork, difficulty))
    return { kind: "refused", refusal: lowDifficulty(achieved, difficulty) };
  const identity = identityOf(job, made, hash);
  return { kind: "share", identity, difficulty, achieved, ...candidate };
}

/** On sha256d coins it has been computed already: as the proof of work. */
const identityOf = ({ proofOfWork }: Job, { header }: Assembled, hash: Uint8Array): Uint8Array =>
  proofOfWork === "sha256d" ? hash : chain.headerId(header);

/** The rules that need no hash, in the order in which they are told. */
function brokenRule({ job, networkDifficulty }: KnownJob, submit: Submit, terms: Terms): Refusal | undefined {
  if (!terms.authorized) return REFUSALS.unauthorized;
  if (!terms.live) return REFUSALS.stale;
  if (terms.spent) return REFUSALS.jobNotFound;
  const { difficulty } = terms.announced;
  if (difficulty > networkDifficulty || difficulty < Math.min(terms.floor, networkDifficulty))
    return REFUSALS.jobNotFound; // S4
  if (submit.time < job.timeMin || submit.time > job.time + terms.timeAheadS)
    return refusal("other", `ntime out of range: ${hex32(job.timeMin)} to ${hex32(job.time + terms.timeAheadS)}`);
  const allowed = (terms.versionMask & job.versionMask) >>> 0;
  if (((submit.versionBits ?? 0) & ~allowed) !== 0)
    return refusal("other", `Version bits ${hex32(submit.versionBits ?? 0)} outside the mask ${hex32(allowed)}`);
  return undefined;
}

const lowDifficulty = (achieved: Difficulty, wanted: Difficulty): Refusal =>
  refusal("low-difficulty", `Low difficulty share: ${short(achieved)} of ${short(wanted)}`);
const short = (value: number): string => String(Number(value.toPrecision(6)));

/** A pool has few difficulties at a time and many shares of each: the division is done once. */
const targets: Readonly<Record<ProofOfWorkName, Map<Difficulty, bigint>>> = { sha256d: new Map(), scrypt: new Map() };
const TARGETS_MAX = 4_096;

export function shareTarget(name: ProofOfWorkName, difficulty: Difficulty): bigint {
  const known = targets[name];
  let target = known.get(difficulty);
  if (target === undefined) {
    target = chain.difficultyToTarget(name, difficulty);
    if (known.size >= TARGETS_MAX) known.clear();
    known.set(difficulty, target);
  }
  return target;
}
