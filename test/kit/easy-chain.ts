// easy-chain: a pool whose shares are cheap to find and never blocks, for tests of everything but blocks.

import type { Keep } from "./cleanup.js";
import { fromTable, plainAnswers, startDaemonStandIn } from "./daemon-stand-in.js";
import { startPool, type TestPool } from "./pool.js";
import { startRedis } from "./redis.js";

/** A network target that nobody meets by chance. */
export const HARD = { bits: "1b00ffff", target: `000000000000ffff${"00".repeat(24)}` };

const template = plainAnswers.getblocktemplate as object;

/** A chain whose blocks are far too hard to find, so that shares are only shares. */
export const hardChain = (more: object = {}) =>
  fromTable({ ...plainAnswers, getblocktemplate: { ...template, ...HARD, ...more } });

/** Every second hash or so is a share, whatever the miner's speed. */
export const easyShares = (more: object = {}) => ({
  stratum: {
    listeners: { default: { difficulty: { start: 0.00002, floor: 0.00002 }, vardiff: { enabled: false } } },
    ...more,
  },
});

export async function startEasyPool(
  settings: Readonly<Record<string, object>> = easyShares(),
  keep: Keep = "test",
): Promise<TestPool> {
  const [redis, daemon] = [await startRedis({ keep }), await startDaemonStandIn(hardChain(), keep)];
  return startPool({ redis, daemons: [daemon], settings, keep });
}
