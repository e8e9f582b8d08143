// Blocks that no daemon could take yet, in a real Redis.

import { expect, test } from "@jest/globals";
import type { BlockStatus, DaemonVerdict, EpochMs, WorkerName } from "../../../lib/contracts/index.js";
import { type Held, Pending, type PendingDeps } from "../../../services/jobmanager/out-pending.js";
import { atEnd } from "../../kit/cleanup.js";
import { openTestHouse } from "../../kit/house.js";
import { startRedis } from "../../kit/redis.js";
import { until } from "../../kit/until.js";

const KEY = (cluster: string) => `hf:{${cluster}}:pending-blocks`;

function aBlock(hash: string): Held {
  return { hash, height: 100, worker: "w.1" as WorkerName, foundAt: 1 as EpochMs, block: Buffer.from(hash) };
}

async function setup(more: Partial<PendingDeps> = {}) {
  const redis = await startRedis();
  const house = await openTestHouse(redis);
  const offered: string[] = [];
  const judged: [string, BlockStatus][] = [];
  const told: string[] = [];
  const unreachable: DaemonVerdict = { daemon: "d", outcome: "unreachable" };
  const open = () => {
    const pending = new Pending({
      ...{ redis: house.redis.state, cluster: house.cluster, confirmations: 3 },
      height: () => undefined,
      offer: async (_block, hash) => {
        offered.push(hash);
        return [unreachable];
      },
      onHeld: () => {},
      onJudged: ({ hash, status }) => judged.push([hash, status]),
      onDropped: ({ hash }) => told.push(`dropped ${hash}`),
      onTrouble: (reason) => told.push(reason),
      ...more,
    });
    atEnd(() => pending.close());
    pending.start();
    return pending;
  };
  const kept = () => house.redis.state.hkeys(KEY(house.cluster));
  return { redis, house, open, offered, judged, told, kept };
}

test("what one held is offered by another that was started later, with the block's own bytes", async () => {
  const bytes: Uint8Array[] = [];
  const { open, judged, kept } = await setup({
    offer: async (block) => {
      bytes.push(block);
      return [{ daemon: "d", outcome: bytes.length > 1 ? "accepted" : "early" }];
    },
  });
  const first = open();
  expect(await first.hold(aBlock("a"))).toBe(true);
  await first.close();
  const before = bytes.length;
  open();
  await until("it is judged", 5_000, () => judged.length > 0);
  expect(judged).toEqual([["a", "accepted"]]);
  expect(bytes.slice(before).map((it) => Buffer.from(it).toString())).toContain("a");
  await until("it is forgotten", 2_000, async () => (await kept()).length === 0);
});

test("a block under as many others as make one safe is worthless: rejected, and no longer offered", async () => {
  let height = 102;
  const { open, judged, offered, kept } = await setup({ height: () => height });
  const pending = open();
  await pending.hold(aBlock("a"));
  await until("it is offered", 3_000, () => offered.length > 1);
  expect(judged).toEqual([]);
  height = 103;
  await until("it is judged", 3_000, () => judged.length > 0);
  expect(judged).toEqual([["a", "rejected"]]);
  expect(await kept()).toEqual([]);
});

test("with Redis away it is held in memory, which is said, and saved as soon as Redis is back", async () => {
  const { redis, open, told, kept } = await setup();
  const pending = open();
  await redis.stop();
  expect(await pending.hold(aBlock("a"))).toBe(false);
  expect(told).toHaveLength(1);
  await redis.start();
  await until("it is kept", 10_000, async () => (await kept().catch((): string[] => [])).includes("a"));
  expect(await pending.hold(aBlock("a"))).toBe(true);
});

test("what is no block of ours is named and left alone; the others are offered", async () => {
  const { house, open, told, offered, kept } = await setup();
  await house.redis.state.hset(KEY(house.cluster), "x", "nonsense");
  await open().hold(aBlock("a"));
  await until("the good one is offered", 3_000, () => offered.includes("a"));
  expect(told).toEqual([expect.stringContaining("holds x, which is no block of ours")]);
  expect(offered).not.toContain("x");
  expect((await kept()).sort()).toEqual(["a", "x"]);
});

test("N1 a pending block is told as judged before it is forgotten", async () => {
  let whenJudged: Promise<string[]> | undefined;
  const it = await setup({
    offer: async () => [{ daemon: "d", outcome: "accepted" }],
    onJudged: () => {
      whenJudged = it.kept();
    },
  });
  await it.open().hold(aBlock("a"));
  await until("it is judged", 3_000, () => whenJudged !== undefined);
  expect(await whenJudged).toEqual(["a"]);
  await until("it is forgotten", 2_000, async () => (await it.kept()).length === 0);
});
