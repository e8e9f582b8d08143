// A template is proved: the daemon that gave it judges a block that was made from it, as it would one that was mined.
//
//   block without proof of work --getblocktemplate {mode: "proposal"}--> valid | invalid, with the daemon's word | unknown
//
// Whatever a coin demands of a block and we do not know of shows here, before a miner works on it.
//
// Source: BIP 23 ("block proposal").

import { z } from "zod";
import { type DaemonRpc, RpcError } from "./out-rpc.js";
import { shorten } from "./reason.js";

export type Proof =
  | { readonly kind: "valid" }
  | { readonly kind: "invalid"; readonly reason: string }
  /** The daemon does not know proposals. */
  | { readonly kind: "unknown"; readonly reason: string };

/** The tip moved on between the template and its proof, or the daemon's clock is behind its own: no word on the block's form. */
const NO_JUDGEMENT: ReadonlySet<string> = new Set([
  "inconclusive",
  "inconclusive-not-best-prevblk",
  "stale-prevblk",
  "duplicate",
  "duplicate-inconclusive",
  "time-too-new",
]);

/** @throws {RpcError} when the daemon does not answer, or is not ready to. */
export async function prove(
  rpc: DaemonRpc,
  rules: readonly string[],
  block: Uint8Array,
  signal: AbortSignal,
): Promise<Proof> {
  const data = Buffer.from(block.buffer, block.byteOffset, block.byteLength).toString("hex");
  try {
    const answer = await rpc.call("getblocktemplate", [{ mode: "proposal", rules, data }], z.unknown(), { signal });
    if (answer === null || (typeof answer === "string" && NO_JUDGEMENT.has(answer))) return { kind: "valid" };
    if (typeof answer === "string") return { kind: "invalid", reason: shorten(answer) };
    return { kind: "unknown", reason: "it answers a proposal with something else than a judgement" };
  } catch (error) {
    const refuses = error instanceof RpcError && error.code === "RPC" && error.state === "refused";
    if (!refuses) throw error;
    return error.rpcCode === RPC_DESERIALIZATION_ERROR
      ? { kind: "invalid", reason: error.message }
      : { kind: "unknown", reason: error.message };
  }
}

const RPC_DESERIALIZATION_ERROR = -22;
