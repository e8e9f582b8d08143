// mining.configure (BIP 310): every extension asked for is answered, unknown ones with `false`.
//
// cgminer waits 60 s for the answer and gives the connection up without one. Source: BIP 310, "Request mining.configure".

import { hex32 } from "./encode.js";
import { positive, uint32 } from "./fields.js";
import type { Options } from "./requests.js";

export interface Configured {
  readonly answers: Readonly<Record<string, unknown>>;
  /** Agreed bits; absent: not asked for. 0: asked for, none left. */
  readonly versionMask?: number;
  /** Absent: not asked for. */
  readonly minimum?: number;
}

/** What the pool, and the job at hand, can give. */
export interface Offer {
  /** Bits that miners may roll. */
  readonly versionMask: number;
  /** The greatest difficulty that a connection may be told. */
  readonly hardest: number;
}

export function extensionAnswers(names: readonly string[], options: Options, offer: Offer): Configured {
  const answers: Record<string, unknown> = Object.create(null);
  let agreed: Pick<Configured, "versionMask" | "minimum"> = {};
  for (const name of names) {
    if (name === "version-rolling") agreed = { ...agreed, ...versionRolling(options, offer, answers) };
    else if (name === "minimum-difficulty") agreed = { ...agreed, ...minimumDifficulty(options, offer, answers) };
    else answers[name] = name === "subscribe-extranonce" || name === "info";
  }
  return { answers, ...agreed };
}

function versionRolling(options: Options, offer: Offer, answers: Record<string, unknown>): { versionMask: number } {
  // Without a mask of its own the miner takes any.
  const asked = uint32(options["version-rolling.mask"] ?? "ffffffff", "mask");
  const versionMask = typeof asked === "number" ? (asked & offer.versionMask) >>> 0 : 0;
  answers["version-rolling"] = versionMask !== 0;
  if (versionMask !== 0) answers["version-rolling.mask"] = hex32(versionMask);
  return { versionMask };
}

/** `true` is a promise that no lower difficulty comes: what is out of reach is answered `false`. */
function minimumDifficulty(options: Options, offer: Offer, answers: Record<string, unknown>): { minimum?: number } {
  const minimum = positive(options["minimum-difficulty.value"], "minimum-difficulty.value");
  const kept = typeof minimum === "number" && minimum <= offer.hardest;
  answers["minimum-difficulty"] = kept;
  return kept ? { minimum } : {};
}
