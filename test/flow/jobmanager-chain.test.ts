// jobmanager and the blocks that it submitted: who may submit, what becomes of them, who is told.

import { beforeAll, expect, test } from "@jest/globals";
import { z } from "zod";
import { heightOf, mine } from "../../demo/regtest.js";
import {
  type BlockRecord,
  type ConnectionId,
  type Job,
  jobmanager,
  nowMs,
  type WorkerName,
} from "../../lib/contracts/index.js";
import { metricTable } from "../../services/jobmanager/main.js";
import type { Settings } from "../../services/jobmanager/settings.js";
import { hostReporter } from "../kit/block-records.js";
import { openTestHouse } from "../kit/house.js";
import { at, jobWhere, type Seat, startJobmanager, submit } from "../kit/jobmanager.js";
import { type LitecoindPair, startLitecoindPair } from "../kit/litecoind.js";
import { solve } from "../kit/mining.js";
import { type RedisServer, startRedis } from "../kit/redis.js";
import { until } from "../kit/until.js";

let redis: RedisServer;
let pair: LitecoindPair;
beforeAll(async () => {
  redis = await startRedis({ keep: "file" });
  pair = await startLitecoindPair({ mweb: false, keep: "file" });
}, 60_000);

test("a jobmanager completes the block of a job that another one made", async () => {
  const maker = await startJobmanager(redis, { daemons: [at(pair.a)] });
  const other = await startJobmanager(redis, { daemons: [at(pair.b, "b")] });
  const job = await newestJob(maker);
  await newestJob(other);
  await maker.close();
  const solved = solve(job);
  const reply = await submit(other, job, solved);
  expect(reply).toMatchObject({ status: "accepted", hash: solved.hash, height: job.height });
  await until("the block is in the other node's chain too", 5_000, () => isTip(solved.hash));
});

test("over the network a job is the same to the byte, and its block is taken", async () => {
  const seat = await seatAtBoth();
  const house = await openTestHouse(redis);
  const client = house.nexus.client(jobmanager);
  const jobs: Job[] = [];
  client.subscribe("job", { onMessage: (job, from) => from.instance.id === seat.self() && jobs.push(job) });
  const [received] = await until("the newest job came as a snapshot", 5_000, () => jobs.length > 0 && jobs);
  expect(received).toEqual(await newestJob(seat));
  if (!received) throw new Error("unreachable");
  const { header, coinbase, hash } = solve(received);
  const names = { worker: "far.away" as WorkerName, connection: "far-connection" as ConnectionId };
  const reply = await client.call("submitBlock", { job: received.id, header, coinbase, ...names });
  expect(reply).toMatchObject({ status: "accepted", hash, height: received.height });
});

test("the same block twice is harmless: the same answer, and nothing but `accepted` in the records", async () => {
  const [seat, other] = [await seatAtBoth(), await seatAtBoth()];
  const records = await hostReporter(seat.house);
  const job = await newestJob(seat);
  await newestJob(other);
  const solved = solve(job);
  const [first, second] = await Promise.all([submit(seat, job, solved), submit(seat, job, solved)]);
  expect(first.status).toBe("accepted");
  expect(second).toEqual(first);
  expect(await submit(seat, job, solved)).toEqual(first);
  const elsewhere = await submit(other, job, solved);
  expect(elsewhere.status).toBe("accepted");
  expect(elsewhere.verdicts.map(({ outcome }) => outcome)).toEqual(["duplicate", "duplicate"]);
  await until("it is recorded", 5_000, () => records.length > 0);
  expect(new Set(statuses(records, solved.hash))).toEqual(new Set(["accepted"]));
});

test("a block is confirmed when it stands deep enough, and all who listen are told", async () => {
  const seat = await seatAtBoth({ confirmations: 3 });
  const records = await hostReporter(seat.house);
  const job = await newestJob(seat);
  const { hash } = await submit(seat, job, solve(job));
  await mine(pair.b.rpc, pair.payoutAddress, 2);
  await until("it is confirmed", 5_000, () => statuses(seat.blocks, hash).includes("confirmed"));
  expect(statuses(seat.blocks, hash)).toEqual(["accepted", "confirmed"]);
  expect(seat.blocks.at(-1)).toMatchObject({ height: job.height, confirmations: 3, worker: "test.rig" });
  await until("it is recorded", 5_000, () => statuses(records, hash).length === 2);
  expect(statuses(records, hash)).toEqual(["accepted", "confirmed"]);
});

test("a block that lost its place in the chain is orphaned, and accepted again when it is back", async () => {
  const seat = await seatAtBoth();
  const job = await newestJob(seat);
  const { hash } = await submit(seat, job, solve(job));
  await until("both nodes have it", 5_000, () => isTip(hash));
  await jobWhere(seat, "on top of it", ({ height }) => height === job.height + 1); // Else there is nothing to come back from.
  await Promise.all([
    pair.a.rpc.call("invalidateblock", [hash], z.null()),
    pair.b.rpc.call("invalidateblock", [hash], z.null()),
  ]);
  await jobWhere(
    seat,
    "on the tip before it",
    ({ height, clean, id }) => clean && height === job.height && id !== job.id,
  );
  await mine(pair.b.rpc, pair.payoutAddress, 1);
  await until("it is orphaned", 5_000, () => statuses(seat.blocks, hash).includes("orphaned"));
  await Promise.all([
    pair.a.rpc.call("reconsiderblock", [hash], z.null()),
    pair.b.rpc.call("reconsiderblock", [hash], z.null()),
  ]);
  await until("it is accepted again", 5_000, () => statuses(seat.blocks, hash).length === 3);
  expect(statuses(seat.blocks, hash)).toEqual(["accepted", "orphaned", "accepted"]);
});

test("the reporter is told of a block as soon as there is one, however late", async () => {
  const seat = await seatAtBoth();
  const job = await newestJob(seat);
  const { hash, status } = await submit(seat, job, solve(job));
  expect(status).toBe("accepted");
  await until("it is pushed", 1_000, () => statuses(seat.blocks, hash).length === 1);
  const records = await hostReporter(seat.house);
  await until("it is recorded", 15_000, () => statuses(records, hash).length === 1);
});

test("the senior jobmanager follows the blocks that the reporter knows of and nobody follows", async () => {
  const finder = await seatAtBoth();
  const job = await newestJob(finder);
  const { hash } = await submit(finder, job, solve(job));
  await finder.close();
  await mine(pair.b.rpc, pair.payoutAddress, 2);
  await until("both nodes have them", 5_000, async () => (await heights())[0] === job.height + 2);
  const house = await openTestHouse(redis, { cluster: "heirs", tables: [metricTable] });
  const records = await hostReporter(house, [
    {
      hash,
      height: job.height,
      worker: "of.old" as WorkerName,
      status: "accepted",
      confirmations: 1,
      foundAt: nowMs(),
    },
  ]);
  await startJobmanager(redis, { daemons: [at(pair.a)], confirmations: 3 }, house);
  await until("it is confirmed", 5_000, () => statuses(records, hash).includes("confirmed"));
});

test("a block that a daemon refuses is rejected with the daemon's own word", async () => {
  // One daemon: of two, one could hear of the block from the other first and say `duplicate-invalid`.
  const seat = await startJobmanager(redis, { daemons: [at(pair.a)] });
  const job = await newestJob(seat);
  const solved = solve({ ...job, coinbase2: withMoreReward(job) });
  const reply = await submit(seat, job, solved);
  expect(reply.status).toBe("rejected");
  expect(reply.verdicts[0]).toMatchObject({
    daemon: "a",
    outcome: "rejected",
    reason: expect.stringContaining("bad-"),
  });
  await until("it is pushed", 1_000, () => statuses(seat.blocks, solved.hash)[0] === "rejected");
});

test("a job that nobody knows is an unknown job, not an error", async () => {
  const seat = await seatAtBoth();
  const job = await newestJob(seat);
  expect(await submit(seat, { id: "dead00" as Job["id"] }, solve(job))).toMatchObject({
    status: "unknown_job",
    verdicts: [],
  });
});

const seatAtBoth = (more: Partial<Settings> = {}): Promise<Seat> =>
  startJobmanager(redis, { daemons: [at(pair.a, "a"), at(pair.b, "b")], ...more });

/** On the tip that the chain has now. */
async function newestJob(seat: Seat): Promise<Job> {
  const height = Math.max(...(await heights()));
  return jobWhere(seat, `for height ${height + 1}`, (job) => job.height === height + 1);
}

const heights = (): Promise<number[]> => Promise.all([heightOf(pair.a.rpc), heightOf(pair.b.rpc)]);

async function isTip(hash: string): Promise<boolean> {
  const tips = await Promise.all([pair.a, pair.b].map(({ rpc }) => rpc.call("getbestblockhash", [], z.string())));
  return tips.every((tip) => tip === hash);
}

const statuses = (list: readonly Pick<BlockRecord, "hash" | "status">[], hash: string): string[] =>
  list.filter((it) => it.hash === hash).map(({ status }) => status);

/** Takes one unit more than the reward allows. */
function withMoreReward({ coinbase2 }: Job): Uint8Array {
  const at = Buffer.from(coinbase2).indexOf(Buffer.alloc(4, 0xff)) + 4 + 1; // Behind the sequence and the count of outputs.
  const greedy = Buffer.from(coinbase2);
  greedy.writeBigUInt64LE(greedy.readBigUInt64LE(at) + 1n, at);
  return greedy;
}
