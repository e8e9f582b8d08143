// S2, S3, J2 through a whole pool: shares are judged by the job they were made for, blocks go out whatever is wrong with their share.

import { beforeAll, describe, expect, test } from "@jest/globals";
import { z } from "zod";
import { StratumClient } from "../../demo/miner/client.js";
import { nextShare } from "../../demo/miner/grind.js";
import { mine } from "../../demo/regtest.js";
import { atEnd } from "../kit/cleanup.js";
import { easyShares, startEasyPool } from "../kit/easy-chain.js";
import { kill } from "../kit/killing.js";
import { type LitecoindPair, startLitecoindPair } from "../kit/litecoind.js";
import { Miner, startPool, type TestPool } from "../kit/pool.js";
import { startRedis } from "../kit/redis.js";
import { shareLog } from "../kit/share-log.js";
import { until } from "../kit/until.js";

const TEST_MS = 120_000;

describe("on a chain without blocks", () => {
  let pool: TestPool;
  beforeAll(async () => {
    pool = await startEasyPool(easyShares(), "file");
  }, TEST_MS);

  test(
    "S2 a share is judged by the difficulty of the job it was made for, on the next backend too",
    async () => {
      const miner = await Miner.start(pool, "judged.rig");
      const easy = await miner.find();
      const easyDifficulty = miner.client.difficulty;
      await miner.client.request("mining.suggest_difficulty", [easyDifficulty * 64]);
      await until("the new difficulty was told", 5_000, () => miner.client.difficulty === easyDifficulty * 64);
      const later = await miner.find();
      await kill(pool, "stratum", "SIGKILL");
      await kill(pool, "stratum", "SIGKILL"); // Whichever had it, another one has it now.
      expect(await miner.submit(easy)).toBe(true);
      expect(await miner.submit(later)).toBe(true);
      const log = (await shareLog(pool)).filter(({ worker }) => worker === "judged.rig");
      expect(log.map(({ difficulty }) => Number(difficulty))).toEqual([easyDifficulty, easyDifficulty * 64]);
    },
    TEST_MS,
  );

  test(
    "S2 a duplicate is a duplicate on every backend",
    async () => {
      const miner = await Miner.start(pool, "twice.rig");
      const share = await miner.find();
      expect(await miner.submit(share)).toBe(true);
      for (let i = 0; i < 2; i++) {
        await kill(pool, "stratum", "SIGKILL");
        expect(await miner.submit(share)).toBe(false);
      }
      expect(miner.refused).toEqual([22, 22]);
      expect((await shareLog(pool)).filter(({ worker }) => worker === "twice.rig")).toHaveLength(1);
    },
    TEST_MS,
  );
});

describe("S3 a share that meets the block target is submitted", () => {
  let pool: TestPool;
  let pair: LitecoindPair;
  beforeAll(async () => {
    const [redis, nodes] = await Promise.all([
      startRedis({ keep: "file" }),
      startLitecoindPair({ mweb: false, keep: "file" }),
    ]);
    pair = nodes;
    const { a, b, payoutAddress } = nodes;
    pool = await startPool({ redis, daemons: [a, b], payoutAddress, keep: "file" });
  }, TEST_MS);

  const height = () => pair.b.rpc.call("getblockcount", [], z.number());
  const tips = () => pair.b.rpc.call("getchaintips", [], z.array(z.object({ height: z.number(), status: z.string() })));

  test(
    "although its worker was never authorized",
    async () => {
      const client = await StratumClient.connect({ host: "127.0.0.1", port: pool.port });
      atEnd(() => client.close());
      const session = await client.subscribe("nobody/1");
      const work = await client.nextWork();
      const share = nextShare("scrypt", work, session.extranonce1, "00".repeat(session.extranonce2Size));
      if (!share) throw new Error("no share");
      const before = await height();
      await expect(client.submit("nobody.rig", share)).rejects.toMatchObject({ code: 24 });
      await until("the other node has the block", 10_000, async () => (await height()) > before);
    },
    TEST_MS,
  );

  test(
    "although its tip is an old one: the daemons get it, and keep it as a fork",
    async () => {
      const miner = await Miner.start(pool, "late.rig");
      const share = await miner.find();
      const forks = (await tips()).length;
      const seen = miner.client.work?.previousHash;
      await mine(pair.a.rpc, pair.payoutAddress, 1);
      await until("the miner has the new tip", 10_000, () => miner.client.work?.previousHash !== seen);
      expect(await miner.submit(share)).toBe(false);
      expect(miner.refused).toEqual([21]);
      await until("a node has the fork", 10_000, async () => (await tips()).length > forks);
    },
    TEST_MS,
  );

  test(
    "although it is a duplicate: nobody is harmed, and the block stands in the chain once",
    async () => {
      const miner = await Miner.start(pool, "again.rig");
      const before = await height();
      const share = await miner.find();
      const [first, second] = await Promise.all([miner.submit(share), miner.submit(share)]);
      expect([first, second].filter(Boolean)).toHaveLength(1);
      expect([21, 22]).toContain(miner.refused[0]);
      await until("the other node has the block", 10_000, async () => (await height()) === before + 1);
      expect(miner.client.closed).toBe(false);
    },
    TEST_MS,
  );
});
