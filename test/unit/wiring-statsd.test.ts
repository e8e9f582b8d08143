// Measurements at a real statsd server: what arrives there is what was measured, tags and all; when it is gone, nobody notices.

import dns from "node:dns";
import { expect, jest, test } from "@jest/globals";
import { openMetrics } from "../../lib/wiring/index.js";
import { lastingLookup } from "../../lib/wiring/metrics/address.js";
import { atEnd } from "../kit/cleanup.js";
import { freePort } from "../kit/ports.js";
import { startStatsd } from "../kit/statsd.js";
import { until } from "../kit/until.js";

function measureTo(port: number) {
  const metrics = openMetrics({ host: "127.0.0.1", port, prefix: "hf", tags: { cluster: "c" } });
  atEnd(() => metrics.close());
  return metrics;
}

test("a real statsd counts, gauges and times what was measured, under its name and tags", async () => {
  const server = await startStatsd();
  const metrics = measureTo(server.port);
  for (let i = 0; i < 50; i++) metrics.count("x.shares", 2, { outcome: "ok" });
  metrics.count("x.shares", 1, { outcome: "stale" });
  metrics.gauge("x.live", 7);
  metrics.timing("x.wait", 3);
  metrics.timing("x.wait", 5);
  await metrics.close();
  await until("all has arrived", 3_000, async () => Object.keys(await server.ask("timers")).length > 0);
  const sorted = (it: Record<string, unknown>) =>
    Object.fromEntries(Object.entries(it).map(([name, value]) => [name.split(";").sort().join(";"), value]));
  expect(sorted(await server.ask("counters"))).toEqual({
    "cluster=c;hf.x.shares;outcome=ok": 100,
    "cluster=c;hf.x.shares;outcome=stale": 1,
  });
  expect(sorted(await server.ask("gauges"))).toEqual({ "cluster=c;hf.x.live": 7 });
  expect(sorted(await server.ask("timers"))).toEqual({ "cluster=c;hf.x.wait": [3, 5] });
});

test("without a server measuring costs nothing and holds nothing; as soon as one is there, it is told", async () => {
  const port = await freePort();
  const metrics = measureTo(port);
  const heldBefore = process.memoryUsage().heapUsed;
  for (let i = 0; i < 50_000; i++) metrics.count("x.shares", 1, { outcome: "ok" });
  expect(process.memoryUsage().heapUsed - heldBefore).toBeLessThan(50_000_000);
  const first = await startStatsd(port);
  await until("it is told", 5_000, async () => {
    metrics.count("x.first");
    return Object.keys(await first.ask("counters")).some((name) => name.startsWith("hf.x.first"));
  });
  await first.stop();
  for (let i = 0; i < 1_000; i++) metrics.count("x.nobody");
  const second = await startStatsd(port);
  await until("its successor is told, too", 5_000, async () => {
    metrics.count("x.second");
    return Object.keys(await second.ask("counters")).some((name) => name.startsWith("hf.x.second"));
  });
});

test("a statsd's name is asked for once a minute, and its last address is used on while the name server is away", async () => {
  let answer: string | undefined = "192.0.2.1";
  const asked = jest
    .spyOn(dns, "lookup")
    .mockImplementation(((_: string, __: object, found: (...of: unknown[]) => void) =>
      setImmediate(() =>
        answer ? found(null, answer, 4) : found(new Error("ENOTFOUND")),
      )) as unknown as typeof dns.lookup);
  const clock = jest.spyOn(Date, "now");
  atEnd(() => void [asked, clock].map((spy) => spy.mockRestore()));
  const lookup = lastingLookup();
  const look = (name = "statsd.test") =>
    new Promise<string>((resolve) => lookup(name, 4, (error, address) => resolve(error ? error.message : address)));
  clock.mockReturnValue(0);
  expect(await Promise.all([look(), look(), look("192.0.2.9")])).toEqual(["192.0.2.1", "192.0.2.1", "192.0.2.9"]);
  expect(asked).toHaveBeenCalledTimes(1);
  answer = "192.0.2.2";
  clock.mockReturnValue(61_000);
  expect(await look()).toBe("192.0.2.2");
  answer = undefined;
  clock.mockReturnValue(130_000);
  expect([await look(), await look()]).toEqual(["192.0.2.2", "192.0.2.2"]);
  expect(asked).toHaveBeenCalledTimes(3);
  expect(await look("other.test")).toBe("ENOTFOUND");
});
