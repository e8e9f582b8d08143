// Every instance takes a log level while it runs, whatever service it is.

import { expect, test } from "@jest/globals";
import { z } from "zod";
import { defineContract, everywhere, method } from "../../../lib/wiring/index.js";
import { atEnd } from "../../kit/cleanup.js";
import { openTestHouse } from "../../kit/house.js";
import { startRedis } from "../../kit/redis.js";
import { until } from "../../kit/until.js";

test("any instance tells its log level and changes it, for a while or for good", async () => {
  const redis = await startRedis();
  const [far, near] = [await openTestHouse(redis), await openTestHouse(redis)];
  const echo = defineContract({
    service: "echo",
    methods: { say: method({ request: z.object({}), reply: z.object({}), idempotent: true }) },
    pushes: {},
  });
  const hosted = await far.nexus.host(echo, { say: () => ({}) });
  atEnd(() => hosted.close());
  const client = near.nexus.client(everywhere("echo"));
  await client.ready(5_000);
  const configured = far.log.level;
  expect(await client.call("logLevel", {})).toEqual({ level: configured, configured });
  expect(await client.call("logLevel", { level: "error" })).toMatchObject({ level: "error", configured });
  expect(far.log.level).toBe("error");
  await client.call("logLevel", { level: "fatal", seconds: 0.05 });
  await until("it is as configured again", 2_000, () => far.log.level === configured);
});
