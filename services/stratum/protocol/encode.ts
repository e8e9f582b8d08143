// What we say to miners, as lines: answers, and notifications that nobody asked for.
//
//   N1. Every line ends with a newline and holds no other.
//   N2. minerd demands exactly 64/8/8/8 hex digits for previous hash, version, bits and time: all are zero-padded.
//   N3. Only the newest form of an answer that miners agree on: {"id", "result", "error"}, error = [code, text, null].

import type { Difficulty, Job } from "../../../lib/contracts/index.js";
import { nameOf, variantBytes } from "../variant.js";
import { ERROR_CODES, type Refusal } from "./errors.js";

/** @param id JSON text, as parse.ts kept it. */
export const reply = (id: string, result: unknown): string =>
  `{"id":${id},"result":${JSON.stringify(result)},"error":null}\n`;

/** The answer to almost every line, ready made. */
export const accepted = (id: string): string => `{"id":${id},"result":true,"error":null}\n`;

export const refused = (id: string, { reason, text }: Refusal): string =>
  `{"id":${id},"result":null,"error":[${ERROR_CODES[reason]},${JSON.stringify(text)},null]}\n`;

const notification = (method: string, params: readonly unknown[]): string =>
  `{"id":null,"method":"${method}","params":${JSON.stringify(params)}}\n`;

/** Takes effect at the next notify: send it right before one (cgminer delays a second one by one more notify). */
export const setDifficulty = (difficulty: Difficulty): string => notification("mining.set_difficulty", [difficulty]);

export const setExtranonce = (extranonce1: string, extranonce2Size: number): string =>
  notification("mining.set_extranonce", [extranonce1, extranonce2Size]);

/** BIP 310: the mask for all jobs from here on. */
export const setVersionMask = (mask: number): string => notification("mining.set_version_mask", [hex32(mask)]);

/** All three params: minerd ignores the empty form, cgminer refuses another domain than the one it knows. */
export const reconnect = (host: string, port: number, waitSeconds: number): string =>
  notification("client.reconnect", [host, port, waitSeconds]);

/** @param text shown in the miner's log; cut at 200 characters. */
export const showMessage = (text: string): string => notification("client.show_message", [text.slice(0, 200)]);

/** The reply to mining.subscribe. Miners keep the id beside mining.notify and send it back when they come again. */
export const subscription = (id: string, session: string, extranonce1: string, extranonce2Size: number): string =>
  reply(id, [
    [
      ["mining.set_difficulty", session],
      ["mining.notify", session],
    ],
    extranonce1,
    extranonce2Size,
  ]);

export interface Notice {
  readonly job: Job;
  /** Header time in seconds; the job's own, or a later one when the same job is told again. */
  readonly time: number;
}

/** What is the same in every announcement of a job: thousands are told it, each under a name of its own. */
interface Parts {
  readonly beforeVariant: string;
  readonly afterVariant: string;
}
const encoded = new WeakMap<Job, Parts>();

/**
 * `[job_id, prevhash, coinb1, coinb2, [branches], version, nbits, ntime, clean]`
 *
 * @param variant 7 hex digits: a part of the name, and of the coinbase (variant.ts).
 */
export function notify({ job, time }: Notice, variant: string, clean: boolean): string {
  const parts = encoded.get(job) ?? partsOf(job);
  encoded.set(job, parts);
  const name = nameOf(job.id, variant);
  return `{"id":null,"method":"mining.notify","params":["${name}",${parts.beforeVariant}${variantBytes(variant)}${parts.afterVariant}"${hex32(time)}",${clean}]}\n`;
}

const partsOf = ({ previousHash, coinbase1, coinbase2, merkleBranch, version, bits }: Job): Parts => ({
  beforeVariant: `"${swappedHash(previousHash)}","${hex(coinbase1)}`,
  afterVariant: `","${hex(coinbase2)}",${JSON.stringify(merkleBranch.map(hex))},"${hex32(version)}","${hex32(bits)}",`,
});

/** Internal order with the bytes of each 4-byte word reversed. */
export function swappedHash(hash: Uint8Array): string {
  return Buffer.from(hash).swap32().toString("hex");
}

export const hex32 = (value: number): string => (value >>> 0).toString(16).padStart(8, "0");
const hex = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("hex");
