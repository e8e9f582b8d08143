// jobmanager's blocks, judged by a real litecoind: proposal mode says whether it would take a block, submitblock takes it.

import { beforeAll, describe, expect, test } from "@jest/globals";
import { unpack } from "msgpackr";
import { z } from "zod";
import { heightOf, newAddress } from "../../demo/regtest.js";
import { type Job, storedJob } from "../../lib/contracts/index.js";
import { JobStore } from "../../lib/wiring/index.js";
import { type BlockBody, encodeBlock, unpackBody } from "../../services/jobmanager/block.js";
import { type Coin, spend, splitCoins } from "../kit/coins.js";
import { at, jobWhere, type Seat, startJobmanager, submit } from "../kit/jobmanager.js";
import { type LitecoindPair, startLitecoindPair } from "../kit/litecoind.js";
import { solve } from "../kit/mining.js";
import { type RedisServer, startRedis } from "../kit/redis.js";
import { until } from "../kit/until.js";

/** Beside none and one: pairs, odd counts on several levels of the tree, and more than a byte can count. */
const COUNTS = [0, 1, 2, 3, 6, 301];
const COINS = COUNTS.reduce((sum, count) => sum + count, 0);

let redis: RedisServer;
beforeAll(async () => {
  redis = await startRedis({ keep: "file" });
});

describe("before MWEB is active", () => {
  let pair: LitecoindPair;
  let coins: Coin[];
  beforeAll(async () => {
    pair = await startLitecoindPair({ mweb: false, mature: true, keep: "file" });
    coins = await splitCoins(pair, COINS);
  }, 60_000);

  test("a block of a template with any number of witness transactions enters the chain", async () => {
    const seat = await seatAt(pair);
    for (const count of COUNTS) {
      const job = await jobWithTransactions(pair, seat, coins.splice(0, count));
      await expectAccepted(pair, seat, job, count);
    }
  }, 60_000);

  test("its coinbase pays the whole reward to the configured address and carries the pool's tag", async () => {
    const address = await newAddress(pair.a.rpc, "legacy");
    const seat = await startJobmanager(redis, { daemons: [at(pair.a)], payout: { address }, tag: "/a mark of ours/" });
    const job = await jobWhere(seat, "at all", () => true);
    const reply = await submit(seat, job, solve(job));
    const [coinbase] = (await pair.a.rpc.call("getblock", [reply.hash, 2], blockWithCoinbase)).tx;
    expect(coinbase?.vout[0]?.scriptPubKey.addresses).toEqual([address]);
    expect(coinbase?.vout[0]?.value).toBeGreaterThanOrEqual(50);
    expect(Buffer.from(coinbase?.vin[0]?.coinbase ?? "", "hex").toString("latin1")).toContain("/a mark of ours/");
  });
});

describe("after MWEB is active", () => {
  let pair: LitecoindPair;
  let coins: Coin[];
  beforeAll(async () => {
    pair = await startLitecoindPair({ mweb: true, keep: "file" });
    coins = await splitCoins(pair, COINS);
  }, 60_000);

  test("a block with a HogEx and an MWEB part enters the chain, whatever stands before them", async () => {
    const seat = await seatAt(pair);
    for (const count of COUNTS) {
      const job = await jobWithTransactions(pair, seat, coins.splice(0, count));
      await expectAccepted(pair, seat, job, count + 1);
    }
  }, 60_000);

  test("a block with peg-ins and confidential transactions enters the chain", async () => {
    const seat = await seatAt(pair);
    const before = await newestJob(pair, seat);
    for (let i = 0; i < 3; i++)
      await pair.a.rpc.call("sendtoaddress", [await newAddress(pair.a.rpc, "mweb"), 1], z.string());
    const job = await blockThenNext(seat, before);
    const body = await storedBody(seat, job);
    expect(body.tail.length).toBeGreaterThan((await storedBody(seat, before)).tail.length);
    await expectAccepted(pair, seat, job, body.count); // A confidential transaction leaves no other trace in the block.
    expect(await pair.a.rpc.call("getrawmempool", [], z.array(z.string()))).toEqual([]);
  });
});

const seatAt = (pair: LitecoindPair): Promise<Seat> =>
  startJobmanager(redis, { daemons: [at(pair.a)], payout: { address: pair.payoutAddress } });

/** Spends the coins, then mines the job made before that, so that the next one has all of their transactions. */
async function jobWithTransactions(pair: LitecoindPair, seat: Seat, coins: readonly Coin[]): Promise<Job> {
  const before = await newestJob(pair, seat);
  const address = await newAddress(pair.a.rpc, "bech32");
  for (const coin of coins) await spend(pair, coin, address);
  return blockThenNext(seat, before);
}

/** On the daemon's tip: the job before it may still be the last to have come. */
async function newestJob(pair: LitecoindPair, seat: Seat): Promise<Job> {
  const height = await heightOf(pair.a.rpc);
  return jobWhere(seat, `for height ${height + 1}`, (job) => job.height === height + 1);
}

/** A daemon gives a template with the newest transactions at once only for a new tip. */
async function blockThenNext(seat: Seat, before: Job): Promise<Job> {
  await submit(seat, before, solve(before));
  return jobWhere(seat, `after height ${before.height}`, ({ height }) => height > before.height);
}

/** The daemon proposes nothing against the block, takes it, and has it in its chain with the transactions that were due. */
async function expectAccepted(pair: LitecoindPair, seat: Seat, job: Job, transactions: number): Promise<void> {
  const body = await storedBody(seat, job);
  expect(body.count).toBe(transactions);
  const solved = solve(job);
  const data = encodeBlock(solved.header, solved.coinbase, body).toString("hex");
  expect(
    await pair.a.rpc.call("getblocktemplate", [{ mode: "proposal", data, rules: ["mweb", "segwit"] }], z.unknown()),
  ).toBe(null);
  expect(await submit(seat, job, solved)).toEqual({
    status: "accepted",
    hash: solved.hash,
    height: job.height,
    verdicts: [{ daemon: "a", outcome: "accepted" }],
  });
  expect(await pair.a.rpc.call("getblockhash", [job.height], z.string())).toBe(solved.hash);
  const block = await pair.a.rpc.call("getblock", [solved.hash], z.object({ nTx: z.number() }));
  expect(block.nTx).toBe(transactions + 1);
}

/** As any other jobmanager would find it. */
async function storedBody({ house }: Seat, job: Job): Promise<BlockBody> {
  const store = new JobStore(house.redis.state, house.cluster);
  const bytes = await until("the job is in shared state", 5_000, () => store.load(job.id));
  const stored = storedJob.parse(unpack(bytes));
  expect(stored.job.id).toBe(job.id);
  const body = unpackBody(stored.body);
  if (!body) throw new Error("shared state holds something else");
  return body;
}

const blockWithCoinbase = z.object({
  tx: z.array(
    z.object({
      vin: z.array(z.object({ coinbase: z.string().optional() })),
      vout: z.array(
        z.object({ value: z.number(), scriptPubKey: z.object({ addresses: z.array(z.string()).optional() }) }),
      ),
    }),
  ),
});
