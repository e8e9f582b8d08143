// Real work, small enough to be done in a test: jobs with an easy network, and a miner that finds nonces for them.

import { chain, type Difficulty, type Job, type JobId, type ProofOfWorkName } from "../../../lib/contracts/index.js";
import type { InstanceId } from "../../../lib/wiring/index.js";
import { JobBook, type KnownJob } from "../../../services/stratum/jobs.js";
import type { Submit } from "../../../services/stratum/protocol/requests.js";
import type { Context } from "../../../services/stratum/session-state.js";
import { settings as schema } from "../../../services/stratum/settings.js";
import { type Announced, encodeVariant, nameOf, quantized, readName } from "../../../services/stratum/variant.js";
import { assemble } from "../../../services/stratum/verify.js";

/** Every 4,096th hash is a block. */
const EASY_BITS = 0x1f0f_ffff;
/** Every 16th hash is a share, in the unit of each function. */
export const EASY: Readonly<Record<ProofOfWorkName, Difficulty>> = {
  sha256d: (2 ** -28) as Difficulty,
  scrypt: (2 ** -12) as Difficulty,
};
export const SENIOR = "jobmanager-00000001" as InstanceId;
export const JUNIOR = "jobmanager-00000002" as InstanceId;
export const EXTRANONCE1 = "0000002a";
export const WORKER = "alice.rig1";
export const MASK = 0x1fff_e000;

export function craftJob(changes: Partial<Omit<Job, "id">> & { id?: string; tip?: number } = {}): Job {
  const { tip = 1, id = "a1", ...rest } = changes;
  return {
    id: id as JobId,
    coin: "testcoin",
    proofOfWork: "sha256d",
    height: 100,
    previousHash: Buffer.alloc(32, tip),
    coinbase1: Buffer.from(`01000000coinbase1 of ${id}`),
    coinbase2: Buffer.from("coinbase2"),
    extranonce1Size: 4,
    extranonce2Size: 8,
    merkleBranch: [Buffer.alloc(32, 7), Buffer.alloc(32, 8)],
    version: 0x2000_0000,
    versionMask: MASK,
    bits: EASY_BITS,
    time: 1_700_000_000,
    timeMin: 1_699_999_000,
    clean: true,
    templateAt: 1_700_000_000_000 as Job["templateAt"],
    ...rest,
  };
}

/** How an instance of these tests announces a job: every salt is 0, unless a test says otherwise. */
export function announcedAs(job: Job, difficulty = EASY[job.proofOfWork], salt = 0): Announced {
  const least = Math.min(difficulty, known(job).networkDifficulty);
  const announced = readName(nameOf(job.id, encodeVariant(quantized(least), salt)));
  if (!announced) throw new Error("a name that was made cannot be read");
  return announced;
}
export const nameAs = (job: Job, difficulty?: Difficulty, salt?: number): string => {
  const announced = announcedAs(job, difficulty, salt);
  return nameOf(announced.job, announced.variant);
};

export const known = (job: Job): KnownJob => new JobBook().remember(job);

export type Wanted = "block" | "share" | "poor";

/** Finds a nonce whose hash is a block, a share that is no block, or neither. */
export function mine(job: Job, wanted: Wanted, changes: Partial<Submit> = {}, extranonce1 = EXTRANONCE1): Submit {
  const submit: Submit = {
    method: "submit",
    worker: WORKER,
    job: nameAs(job),
    extranonce2: "0000000000000001",
    time: job.time,
    nonce: 0,
    ...changes,
  };
  const announced = readName(submit.job) ?? announcedAs(job);
  const shareTarget = chain.difficultyToTarget(job.proofOfWork, EASY[job.proofOfWork]);
  const networkTarget = chain.bitsToTarget(job.bits);
  for (let nonce = submit.nonce; nonce < submit.nonce + 1_000_000; nonce++) {
    const made = assemble(job, { ...submit, nonce }, { extranonce1, versionMask: MASK, announced });
    if (!("header" in made)) throw new Error(`not minable: ${made.text}`);
    const hash = chain.hashToNumber(chain.proofOfWork(job.proofOfWork).hash(made.header));
    const kind = hash <= networkTarget ? "block" : hash <= shareTarget ? "share" : "poor";
    if (kind === wanted) return { ...submit, nonce };
  }
  throw new Error(`no ${wanted} found`);
}

const hex32 = (value: number): string => value.toString(16).padStart(8, "0");

/** A submit as a miner writes it. */
export function submitLine(id: number | string, submit: Submit): string {
  const params = [submit.worker, submit.job, submit.extranonce2, hex32(submit.time), hex32(submit.nonce)];
  if (submit.versionBits !== undefined) params.push(hex32(submit.versionBits));
  return JSON.stringify({ id, method: "mining.submit", params });
}

/** A context around a book, with difficulties that are easy to meet. */
export function contextOf(book: JobBook, changes: Partial<Context> = {}): Context {
  const settings = schema.parse({
    listeners: { default: { difficulty: { start: EASY.sha256d, floor: EASY.sha256d / 1_024 } } },
  });
  const rules = settings.listeners.default;
  if (!rules) throw new Error("no default listener");
  return {
    settings,
    rules,
    book,
    admits: () => true,
    workless: false,
    nowMs: 0,
    seconds: 1_700_000_000,
    salt: () => 0,
    ...changes,
  };
}
