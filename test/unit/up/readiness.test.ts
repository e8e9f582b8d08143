// What counts as started: an instance that can be talked to, whatever its service.

import { expect, test } from "@jest/globals";
import { findUnreachable } from "../../../bin/doctor/services.js";
import { untilServing } from "../../../bin/up/readiness.js";
import { type Instance, instance } from "../../../lib/wiring/index.js";
import { openTestHouse } from "../../kit/house.js";
import { LineBackend } from "../../kit/line-backend.js";
import { startRedis } from "../../kit/redis.js";
import { until } from "../../kit/until.js";

test("an instance of a service of one's own counts as started when it answers, not when it is listed; doctor names the one that does not", async () => {
  const redis = await startRedis();
  const [server, asker] = [await openTestHouse(redis), await openTestHouse(redis)];
  const backend = await LineBackend.host(server.nexus, { service: "own" });
  const good = backend.hosted.instance;
  // Of another protocol, or behind a firewall: it beats in Redis, and nobody can talk to it.
  const mute: Instance = instance.parse({ ...good, id: "own-mute", endpoint: "tcp://127.0.0.1:1", pid: 1 });
  const waited: string[] = [];
  const options = (signal: AbortSignal) => ({
    house: asker,
    list: async () => [good, mute],
    signal,
    waitsFor: (what: string) => void waited.push(what),
  });
  const served = await untilServing("own", ({ id }) => id === good.id, options(AbortSignal.timeout(10_000)));
  expect(served.id).toBe(good.id);
  const aborter = new AbortController();
  const refused = untilServing("own", ({ id }) => id === mute.id, options(aborter.signal));
  await until("it says what it waits for", 10_000, () => waited.some((what) => what.includes("own-mute")));
  aborter.abort();
  await expect(refused).rejects.toThrow();
  const findings = await findUnreachable(asker, [good, mute]);
  expect(findings.map(({ what, verdict }) => [what, verdict])).toEqual([["own-mute", "bad"]]);
}, 30_000);
