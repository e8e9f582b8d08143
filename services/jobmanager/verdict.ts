// What a daemon's answer to submitblock means, and what several answers mean together.
//
// Source: BIP 22 ("submitblock": null, or a reason) and Bitcoin Core's rpc/mining.cpp for the words that are no rejection.

import type { BlockStatus, DaemonVerdict } from "../../lib/contracts/index.js";
import { shorten } from "./reason.js";

export function verdictOf(daemon: string, answer: string | null): DaemonVerdict {
  switch (answer) {
    case null:
      return { daemon, outcome: "accepted" };
    case "duplicate":
      return { daemon, outcome: "duplicate" };
    case "inconclusive":
    case "duplicate-inconclusive":
      return { daemon, outcome: "inconclusive" };
    case "prev-blk-not-found":
      return { daemon, outcome: "early", reason: "it does not have the block before it yet" };
    case "time-too-new":
      return { daemon, outcome: "early", reason: "time-too-new: its clock is behind, or the block's time is ahead" };
    default:
      return { daemon, outcome: "rejected", reason: shorten(answer) };
  }
}

/**
 * One status for all verdicts. `orphaned`: valid, but another block is the tip for now. `rejected`: every daemon says so; one daemon's
 * refusal does not count while another has not judged, since the one that refuses may be behind on a rule. Undefined: not judged
 * yet, so it must be offered again.
 */
export function statusOf(verdicts: readonly DaemonVerdict[]): BlockStatus | undefined {
  const outcomes = new Set(verdicts.map(({ outcome }) => outcome));
  // `duplicate`: a daemon had it already, from us or from its peers, and it stands in that daemon's chain (out-blocks.ts asks).
  if (outcomes.has("accepted") || outcomes.has("duplicate")) return "accepted";
  if (outcomes.has("inconclusive")) return "orphaned";
  if (outcomes.has("unreachable") || outcomes.has("early")) return undefined;
  return outcomes.has("rejected") ? "rejected" : undefined;
}

/** A followed block's next status. `confirmations` as daemons count: -1 outside the best chain. */
export function followed(confirmations: number, required: number): BlockStatus {
  if (confirmations < 0) return "orphaned";
  return confirmations >= required ? "confirmed" : "accepted";
}
