// mining.configure (BIP 310): every extension asked for is answered, unknown ones with `false`.
//
// cgminer waits 60 s for the answer and gives the connection up without one. Source: BIP 310, "Request mining.configure".

import { hex32 } from "./encode.js";
import { hex, positive } from "./fields.js";
import type { Options } from "./requests.js";

export interface Configured {
  readonly answers: Readonly<Record<string, unknown>>;
  /** Agreed bits; absent: not asked for. 0: asked for, none left. */
  readonly versionMask?: number;
  /** Absent: not asked for. */
  readonly minimum?: number;
}

/** @param offered bits that the pool and its job let miners roll. */
export function extensionAnswers(names: readonly string[], options: Options, offered: number): Configured {
  const answers: Record<string, unknown> = Object.create(null);
  let agreed: Pick<Configured, "versionMask" | "minimum"> = {};
  for (const name of names) {
    if (name === "version-rolling") agreed = { ...agreed, ...versionRolling(options, offered, answers) };
    else if (name === "minimum-difficulty") agreed = { ...agreed, ...minimumDifficulty(options, answers) };
    else answers[name] = name === "subscribe-extranonce" || name === "info";
  }
  return { answers, ...agreed };
}

function versionRolling(options: Options, offered: number, answers: Record<string, unknown>): { versionMask: number } {
  // Without a mask of its own the miner takes any.
  const digits = hex(options["version-rolling.mask"] ?? "ffffffff", "mask", 1, 8);
  const versionMask = typeof digits === "string" ? (Number.parseInt(digits, 16) & offered) >>> 0 : 0;
  answers["version-rolling"] = versionMask !== 0;
  if (versionMask !== 0) answers["version-rolling.mask"] = hex32(versionMask);
  return { versionMask };
}

function minimumDifficulty(options: Options, answers: Record<string, unknown>): { minimum?: number } {
  const minimum = positive(options["minimum-difficulty.value"], "minimum-difficulty.value");
  answers["minimum-difficulty"] = typeof minimum === "number";
  return typeof minimum === "number" ? { minimum } : {};
}
