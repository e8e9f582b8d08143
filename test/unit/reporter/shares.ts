// Shares for the reporter's tests.

import { createHash } from "node:crypto";
import { type Share, share } from "../../../lib/contracts/index.js";

export const HASHES_PER_DIFFICULTY = 65_536;

/** A share whose identity is derived from `seed`: the same seed is the same share. */
export function aShare(seed: string | number, more: Partial<Record<keyof Share, unknown>> = {}): Share {
  return share.parse({
    identity: new Uint8Array(createHash("sha256").update(String(seed)).digest()),
    connection: "c1",
    line: 1,
    worker: "alice.rig1",
    job: "1a",
    height: 100,
    difficulty: 2,
    achieved: 3.5,
    at: Date.now(),
    block: false,
    ...more,
  });
}
