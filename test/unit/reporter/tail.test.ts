// The share log read by its end, from a real Redis.

import { expect, test } from "@jest/globals";
import { type ReporterContract, reporter } from "../../../lib/contracts/index.js";
import type { RequestOf } from "../../../lib/wiring/index.js";
import { open } from "../../../services/reporter/main.js";
import { settings } from "../../../services/reporter/settings.js";
import { atEnd } from "../../kit/cleanup.js";
import { openTestHouse } from "../../kit/house.js";
import { startRedis } from "../../kit/redis.js";
import { aShare, HASHES_PER_DIFFICULTY } from "./shares.js";

test("the log is read from its end, followed without a hole, and filtered by worker and connection", async () => {
  const redis = await startRedis();
  const house = await openTestHouse(redis);
  const running = await open(house, settings.parse({}));
  atEnd(() => running.close());
  const client = house.nexus.client(reporter);
  await client.ready(5_000);
  const record = (...lines: number[]) =>
    client.call("recordShares", {
      shares: lines.map((line) =>
        aShare(`share ${line}`, { line, worker: line % 2 ? "Odd.rig" : "even.rig", connection: `c${line % 3}` }),
      ),
      hashesPerDifficulty: HASHES_PER_DIFFICULTY,
    });
  const shares = (request: Partial<RequestOf<ReporterContract, "shares">> = {}) =>
    client.call("shares", { limit: 100, ...request });
  const lines = async (request?: Parameters<typeof shares>[0]) =>
    (await shares(request)).shares.map(({ line }) => line);

  expect(await shares()).toEqual({ shares: [] });
  await record(1, 2, 3, 4, 5, 6);
  expect(await lines()).toEqual([1, 2, 3, 4, 5, 6]);
  expect(await lines({ limit: 2 })).toEqual([5, 6]);
  expect(await lines({ match: "oDD" })).toEqual([1, 3, 5]);
  expect(await lines({ match: "odd", limit: 1 })).toEqual([5]);
  expect(await lines({ connection: "c0" as RequestOf<ReporterContract, "shares">["connection"] })).toEqual([3, 6]);
  const { shares: seen, last } = await shares({ match: "odd" });
  expect(seen[0]).toMatchObject({ worker: "Odd.rig", block: false, id: expect.stringMatching(/^[0-9a-f]{64}$/) });

  await record(7, 8, 9);
  expect(await lines({ after: last })).toEqual([7, 8, 9]);
  const page = await shares({ after: last, match: "odd", limit: 1 });
  expect(page.shares.map(({ line }) => line)).toEqual([7]);
  expect(await lines({ after: page.last, match: "odd" })).toEqual([9]);
  const end = await shares({ after: page.last });
  expect(await shares({ after: end.last })).toEqual({ shares: [], last: end.last });

  await redis.client().xadd("hf:{test}:shares", "*", "somebody", "else");
  expect(await lines({ after: end.last })).toEqual([]);
});
