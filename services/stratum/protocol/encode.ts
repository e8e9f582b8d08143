// What we say to miners, as lines: answers, and notifications that nobody asked for.
//
//   N1. Every line ends with a newline and holds no other.
//   N2. minerd demands exactly 64/8/8/8 hex digits for previous hash, version, bits and time: all are zero-padded.
//   N3. Only the newest form of an answer that miners agree on: {"id", "result", "error"}, error = [code, text, null].

import type { Difficulty, Job } from "../../../lib/contracts/index.js";
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
  /** What the miner will submit it under. */
  readonly id: string;
  readonly job: Job;
  /** Header time in seconds; the job's own, or a later one when the same job is told again. */
  readonly time: number;
}

/** A storm of reconnecting miners is told the same notice thousands of times. */
const encoded = { clean: new WeakMap<Notice, string>(), going: new WeakMap<Notice, string>() };

/** `[job_id, prevhash, coinb1, coinb2, [branches], version, nbits, ntime, clean]` */
export function notify(notice: Notice, clean: boolean): string {
  const known = clean ? encoded.clean : encoded.going;
  const line = known.get(notice) ?? encodeNotify(notice, clean);
  known.set(notice, line);
  return line;
}

const encodeNotify = ({ id, job, time }: Notice, clean: boolean): string =>
  notification("mining.notify", [
    id,
    swappedHash(job.previousHash),
    hex(job.coinbase1),
    hex(job.coinbase2),
    job.merkleBranch.map(hex),
    hex32(job.version),
    hex32(job.bits),
    hex32(time),
    clean,
  ]);

/** Internal order with the bytes of each 4-byte word reversed. */
export function swappedHash(hash: Uint8Array): string {
  return Buffer.from(hash).swap32().toString("hex");
}

export const hex32 = (value: number): string => (value >>> 0).toString(16).padStart(8, "0");
const hex = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("hex");
