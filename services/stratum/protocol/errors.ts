// Stratum's error codes, and a refusal: what a client is told, and under which name it is counted.
//
// Codes 20 to 25 are what every miner knows (source: Slush's protocol description; cgminer, ckpool and btcpool agree).

import type { RejectReason } from "../../../lib/contracts/index.js";

/** The number on the wire for each reason that shares are counted by. */
export const ERROR_CODES: Readonly<Record<RejectReason, number>> = {
  other: 20,
  stale: 21,
  duplicate: 22,
  "low-difficulty": 23,
  unauthorized: 24,
  "not-subscribed": 25,
};

export interface Refusal {
  readonly reason: RejectReason;
  /** Read by a person in a miner's log: what happened and what to do, without a line break. */
  readonly text: string;
}

export const refusal = (reason: RejectReason, text: string): Refusal => ({ reason, text });

export const REFUSALS = {
  jobNotFound: refusal("stale", "Job not found: it is too old or was never sent"),
  stale: refusal("stale", "Stale: the chain has a new tip since this job"),
  duplicate: refusal("duplicate", "Duplicate share: this work was counted before"),
  notSubscribed: refusal("not-subscribed", "Not subscribed: send mining.subscribe first"),
  noWork: refusal("other", "No coin daemon has answered for too long: mine elsewhere meanwhile"),
  unauthorized: refusal("unauthorized", "Unauthorized worker: send mining.authorize with this name first"),
} as const;
