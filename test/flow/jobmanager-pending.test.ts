// S3: a found block that no daemon can take is not forgotten, by whichever jobmanager; with real daemons that are killed and freeze.

import { beforeAll, expect, test } from "@jest/globals";
import { z } from "zod";
import { key } from "../../lib/wiring/index.js";
import { hostReporter } from "../kit/block-records.js";
import { at, jobWhere, type Seat, startJobmanager, submit } from "../kit/jobmanager.js";
import { type LitecoindPair, startLitecoindPair } from "../kit/litecoind.js";
import { solve } from "../kit/mining.js";
import { type RedisServer, startRedis } from "../kit/redis.js";
import { until } from "../kit/until.js";

const TEST_MS = 60_000;
/** A daemon's start, and its reconnection to the other one. */
const BACK_MS = 30_000;

let redis: RedisServer;
let pair: LitecoindPair;
beforeAll(async () => {
  [redis, pair] = await Promise.all([startRedis({ keep: "file" }), startLitecoindPair({ mweb: false, keep: "file" })]);
}, TEST_MS);

const seatAtA = (): Promise<Seat> => startJobmanager(redis, { daemons: [at(pair.a)] });
const held = ({ house }: Seat) => house.redis.state.hlen(key(house.cluster, "pending-blocks"));
const statuses = ({ blocks }: Seat, hash: string) =>
  blocks.filter((it) => it.hash === hash).map(({ status }) => status);

/** In the chain of the daemon that had not been there. */
async function inChain(hash: string, height: number): Promise<void> {
  await until("the block is in the chain", BACK_MS, async () => {
    return (await pair.a.rpc.call("getblockhash", [height], z.string()).catch(() => "")) === hash;
  });
}

test(
  "a block found while every daemon is down is pending; a jobmanager that was started later brings it into the chain",
  async () => {
    const finder = await seatAtA();
    const job = await jobWhere(finder, "at all", () => true);
    const solved = solve(job);
    await pair.a.kill();
    const reply = await submit(finder, job, solved);
    expect(reply).toMatchObject({ status: "pending", verdicts: [{ outcome: "unreachable" }] });
    expect(statuses(finder, solved.hash)).toEqual(["pending"]);
    await finder.close();
    const heir = await seatAtA();
    const records = await hostReporter(heir.house);
    pair.a.launch();
    await inChain(solved.hash, job.height);
    await until("it is told", 5_000, () =>
      records.some(({ hash, status }) => hash === solved.hash && status === "accepted"),
    );
    await until("it is no longer kept", 5_000, async () => (await held(heir)) === 0);
  },
  TEST_MS,
);

test(
  "a block whose only daemon hangs is kept before its jobmanager could end, and taken when the daemon goes on",
  async () => {
    const finder = await seatAtA();
    const job = await jobWhere(finder, "at all", () => true);
    const solved = solve(job);
    pair.a.freeze();
    const answer = submit(finder, job, solved).catch(() => undefined); // Nobody waits for it.
    await until("it is kept", 5_000, async () => (await held(finder)) === 1);
    const heir = await seatAtA();
    await finder.close();
    pair.a.thaw();
    await inChain(solved.hash, job.height);
    await until("it is no longer kept", 20_000, async () => (await held(heir)) === 0);
    await answer;
  },
  TEST_MS,
);
