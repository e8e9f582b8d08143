// The whole pool in its own processes: miner -> HAProxy -> keeper -> edge -> stratum -> reporter -> Redis, and blocks back to
// litecoind.

import { expect, test } from "@jest/globals";
import { z } from "zod";
import { reporter } from "../../lib/contracts/index.js";
import { shareKeys } from "../../services/reporter/keys.js";
import { fromTable, plainAnswers, startDaemonStandIn } from "../kit/daemon-stand-in.js";
import { startLitecoindPair } from "../kit/litecoind.js";
import { Miner, startPool, type TestPool } from "../kit/pool.js";
import { startRedis } from "../kit/redis.js";
import { until } from "../kit/until.js";

const TEST_MS = 90_000;

/** The share log as Redis has it: field -> value, one an entry. */
async function shareLog({ house }: TestPool): Promise<Record<string, string>[]> {
  const entries = await house.redis.shares.xrange(shareKeys(house.cluster).log, "-", "+");
  return entries.map(([, fields]) => {
    const pairs = fields.flatMap((name, i) => (i % 2 === 0 ? [[name, fields[i + 1] ?? ""]] : []));
    return Object.fromEntries(pairs) as Record<string, string>;
  });
}

const block = z.object({
  confirmations: z.number(),
  height: z.number(),
  tx: z.array(z.string()),
  mweb: z.unknown().optional(),
});

test.each([
  ["before MWEB", { mweb: false }],
  ["after MWEB", { mweb: true }],
])(
  "%s, a miner's share stands in the log and the block it makes in litecoind's chain",
  async (_when, { mweb }) => {
    const [redis, pair] = await Promise.all([startRedis(), startLitecoindPair({ mweb })]);
    const pool = await startPool({ redis, daemons: [pair.a, pair.b], payoutAddress: pair.payoutAddress });
    const miner = await Miner.start(pool, "account.rig1");
    const height = await pair.b.rpc.call("getblockcount", [], z.number());
    expect(await miner.mine()).toBe(true);
    expect(await shareLog(pool)).toMatchObject([{ worker: "account.rig1", block: "1" }]);
    await until(
      "the other node has the block",
      10_000,
      async () => (await pair.b.rpc.call("getblockcount", [], z.number())) > height,
    );
    const found = await until("the reporter has the block", 10_000, async () => {
      const { blocks } = await pool.house.nexus.client(reporter).call("blocks", { limit: 10 });
      return blocks.find(({ status }) => status === "accepted");
    });
    const inChain = await pair.b.rpc.call("getblock", [found.hash], block);
    expect(inChain).toMatchObject({ confirmations: 1, height: height + 1 });
    expect(inChain.mweb !== undefined).toBe(mweb);
  },
  TEST_MS,
);

/** A chain whose blocks are far too hard to find, so that shares are only shares. */
const hardChain = fromTable({
  ...plainAnswers,
  getblocktemplate: {
    ...(plainAnswers.getblocktemplate as object),
    bits: "1b00ffff",
    target: `000000000000ffff${"00".repeat(24)}`,
  },
});
/** Every few hashes are a share, whatever the miner's speed. */
const easyShares = {
  stratum: { listeners: { default: { difficulty: { start: 0.0001, floor: 0.0001 }, vardiff: { enabled: false } } } },
};

async function startEasyPool(): Promise<TestPool> {
  const redis = await startRedis();
  const daemon = await startDaemonStandIn(hardChain);
  return startPool({ redis, daemons: [daemon], settings: easyShares });
}

test(
  "the shares of two miners stand in the log once each, also when a miner sends one twice",
  async () => {
    const pool = await startEasyPool();
    const miners = [await Miner.start(pool, "a.rig"), await Miner.start(pool, "b.rig")];
    await Promise.all(
      miners.map(async (miner) => {
        for (let n = 0; n < 20; n++) {
          const share = await miner.find();
          expect(await miner.submit(share)).toBe(true);
          expect(await miner.submit(share)).toBe(false);
        }
      }),
    );
    for (const { refused } of miners) expect(refused).toEqual(Array(20).fill(22));
    const log = await shareLog(pool);
    expect(log.filter(({ worker }) => worker === "a.rig")).toHaveLength(20);
    expect(log.filter(({ worker }) => worker === "b.rig")).toHaveLength(20);
    expect(new Set(log.map(({ id }) => id)).size).toBe(40);
  },
  TEST_MS,
);

test(
  "a stratum instance is killed and comes back under load: nobody is disconnected, each `true` is in the log once",
  async () => {
    const pool = await startEasyPool();
    const names = Array.from({ length: 8 }, (_, i) => `m${i}.rig`);
    const miners = await Promise.all(names.map((name) => Miner.start(pool, name)));
    let stop = false;
    const load = miners.map(async (miner) => {
      while (!stop) await miner.mine();
    });
    const accepted = () => miners.reduce((sum, miner) => sum + miner.accepted, 0);
    await until("the load runs", 10_000, () => accepted() > 50);
    for (const signal of ["SIGKILL", "SIGTERM"] as const) {
      const [victim] = pool.pids("stratum");
      if (victim === undefined) throw new Error("no stratum runs");
      process.kill(victim, signal);
      const before = miners.map((miner) => miner.accepted);
      await until("every miner goes on", 10_000, () =>
        miners.every((miner, i) => miner.accepted > (before[i] ?? 0) + 3),
      );
      await until(
        "the manager has replaced it",
        10_000,
        () => pool.pids("stratum").length === 2 && !pool.pids("stratum").includes(victim),
      );
    }
    stop = true;
    await Promise.all(load);
    expect(miners.filter(({ client }) => client.closed)).toEqual([]);
    expect(miners.flatMap(({ refused }) => refused)).toEqual([]);
    const log = await shareLog(pool);
    expect(log).toHaveLength(accepted());
    expect(new Set(log.map(({ id }) => id)).size).toBe(accepted());
  },
  TEST_MS,
);
