// Reading one value of a line: each reader takes what JSON gave and answers the value or says what is wrong with it.
//
// Everything a client sends has a bound here. Real miners stay far below each of them.

import { WORKER_NAME_LENGTH_MAX } from "../../../lib/contracts/index.js";
import type { Refusal } from "./errors.js";
import { refusal } from "./errors.js";

/** Miners send 10 to 60 characters ("cgminer/4.12.1"); the rest is cut off, since nothing but our rules reads it. */
export const AGENT_LENGTH_MAX = 128;
/** A session id is one of our connection ids: a listener's name and a uuid. Longer ones are not ours. */
export const SESSION_LENGTH_MAX = 64;
export const WORKER_LENGTH_MAX = WORKER_NAME_LENGTH_MAX;
/** Passwords carry options such as `d=1024`; nobody needs more. */
export const PASSWORD_LENGTH_MAX = 256;
/** 15 digits is what we give out, rounded up. */
export const JOB_LENGTH_MAX = 32;
/** extranonce2 has at most 8 bytes here; longer ones are cut before anything allocates for them. */
export const EXTRANONCE2_DIGITS_MAX = 16;

/** A number of 32 bits has at most 8 digits without its leading zeros. */
const UINT32_DIGITS_MAX = 16;

const HEX = /^[0-9a-fA-F]*$/;

export const isRefusal = (value: unknown): value is Refusal =>
  typeof value === "object" && value !== null && "reason" in value && "text" in value;

const wrong = (name: string, wanted: string): Refusal => refusal("other", `Invalid ${name}: ${wanted}`);

/** A string of 1 to `max` characters. */
export function text(value: unknown, name: string, max: number): string | Refusal {
  if (typeof value !== "string") return wrong(name, "a string is needed");
  if (value.length === 0 || value.length > max) return wrong(name, `1 to ${max} characters are needed`);
  return value;
}

/** Hex digits, made lower case (so that two spellings of a share are one share). */
export function hex(value: unknown, name: string, digitsMin: number, digitsMax: number): string | Refusal {
  if (typeof value !== "string") return wrong(name, "a hex string is needed");
  if (value.length < digitsMin || value.length > digitsMax || !HEX.test(value)) {
    const wanted = digitsMin === digitsMax ? `${digitsMin}` : `${digitsMin} to ${digitsMax}`;
    return wrong(name, `${wanted} hex digits are needed`);
  }
  return value.toLowerCase();
}

/**
 * A number of 32 bits in hex, as nonce, ntime and version bits are. Its width says nothing: widespread firmware leaves leading zeros
 * out, which shortens every 16th nonce, and some other pads to 16 digits.
 */
export function uint32(value: unknown, name: string): number | Refusal {
  const digits = hex(value, name, 1, UINT32_DIGITS_MAX);
  if (typeof digits !== "string") return digits;
  const number = Number.parseInt(digits, 16);
  return number <= 0xffff_ffff ? number : wrong(name, "at most 32 bits are needed");
}

/** A positive finite number, also when spelt as a string: some firmware quotes its difficulty. */
export function positive(value: unknown, name: string): number | Refusal {
  const number = typeof value === "string" && value.length <= 32 ? Number(value) : value;
  if (typeof number !== "number" || !Number.isFinite(number) || number <= 0)
    return wrong(name, "a positive number is needed");
  return number;
}

/** What a client may leave out: its printable ASCII, cut at `max`, else "". */
export function optionalText(value: unknown, max: number): string {
  if (typeof value === "number") return String(value).slice(0, max);
  return typeof value === "string" ? printable(value.slice(0, max)) : "";
}

/** Client text that goes into answers, logs and snapshots. */
export const printable = (text: string): string => text.replace(/[^\x20-\x7e]/g, "?");
