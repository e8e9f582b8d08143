// Metrics: what a service counts reaches statsd, and nothing about statsd reaches the service.

import { createSocket } from "node:dgram";
import { once } from "node:events";
import { describe, expect, test } from "@jest/globals";
import { execa } from "execa";
import { METRIC_TABLES } from "../../bin/metrics.js";
import { type MetricTable, openMetrics } from "../../lib/wiring/index.js";
import { Prometheus } from "../../lib/wiring/metrics/prometheus.js";
import { Sums } from "../../lib/wiring/metrics/sums.js";
import { atEnd } from "../kit/cleanup.js";
import { freePort } from "../kit/ports.js";
import { until } from "../kit/until.js";

const table = {
  "x.shares": { kind: "count", unit: "shares", tags: ["outcome"], meaning: "Shares." },
  "x.live": { kind: "gauge", unit: "connections", tags: [], meaning: "Connections." },
  "x.wait": { kind: "timing", unit: "ms", tags: [], meaning: "Waiting." },
} as const satisfies MetricTable;

async function listen() {
  const socket = createSocket("udp4").bind(0, "127.0.0.1");
  await once(socket, "listening");
  atEnd(() => socket.close());
  const lines: string[] = [];
  socket.on("message", (packet) => lines.push(...packet.toString().split("\n").filter(Boolean)));
  return { port: socket.address().port, lines };
}

describe("metrics", () => {
  test("counts are summed, named, tagged and sent; closing sends what is left", async () => {
    const { port, lines } = await listen();
    const metrics = openMetrics({
      host: "127.0.0.1",
      port,
      prefix: "hf",
      tags: { cluster: "c" },
      tables: [table],
      strict: true,
    });
    for (let i = 0; i < 100; i++) metrics.count("x.shares", 2, { outcome: "ok" });
    metrics.gauge("x.live", 7);
    metrics.timing("x.wait", 3);
    await metrics.close();
    await metrics.close();
    metrics.count("x.shares", 1, { outcome: "late" }); // After close: harmless.
    await until("everything has arrived", 2_000, () => lines.length >= 3);
    expect(lines.some((line) => line.startsWith("hf.x.shares:200|c|#") && line.includes("outcome:ok"))).toBe(true);
    expect(lines.some((line) => line.startsWith("hf.x.live:7|g|#") && line.includes("cluster:c"))).toBe(true);
    expect(lines.some((line) => line.startsWith("hf.x.wait:3|ms"))).toBe(true);
  });

  test("an absent server, or a name that does not resolve, is nobody's problem", async () => {
    for (const host of ["127.0.0.1", "no-such-host.invalid"]) {
      const metrics = openMetrics({ host, port: await freePort() });
      for (let i = 0; i < 1_000; i++) metrics.count(`x.${i}`);
      metrics.gauge("x.live", Number.NaN);
      await metrics.close();
    }
  });

  test("Prometheus' own linter finds nothing wrong with what a process exposes", async () => {
    const prometheus = new Prometheus({ tags: { cluster: "c" }, tables: Object.values(METRIC_TABLES) });
    prometheus.count("reporter.shares", 1, { outcome: "recorded" });
    prometheus.gauge("pool.hashrate", 1, {});
    prometheus.timing("stratum.share", 3, {});
    const { exitCode, all } = await execa("promtool", ["check", "metrics"], {
      input: await prometheus.text(),
      reject: false,
      all: true,
    });
    expect({ exitCode, all }).toEqual({ exitCode: 0, all: "" });
  });

  test("this process' own counters can be read at any time, tags summed up", () => {
    const metrics = openMetrics({});
    metrics.count("x.shares", 2, { outcome: "ok" });
    metrics.count("x.shares", 3, { outcome: "bad" });
    metrics.gauge("x.live", 9);
    metrics.gauge("x.live", 4);
    expect(metrics.counters()).toEqual({ "x.shares": 5, "x.live": 4 });
  });

  test("a name, kind or tag that no table declares throws when strict, and never otherwise", () => {
    const strict = openMetrics({ tables: [table], strict: true });
    expect(() => strict.count("x.typo")).toThrow(/x\.typo stands in no table/);
    expect(() => strict.count("toString")).toThrow(/stands in no table/);
    expect(() => strict.gauge("x.shares", 1)).toThrow(/is a count and was used as a gauge/);
    expect(() => strict.count("x.shares", 1, { outcom: "ok" })).toThrow(/has no tag outcom/);
    expect(() => openMetrics({ tables: [table] }).count("x.typo")).not.toThrow();
  });
});

describe("sums", () => {
  test("counts are added up by name and tags, handed on once, and nothing is handed on for nothing", () => {
    const sums = new Sums();
    for (let i = 0; i < 3; i++) sums.add("x.shares", 2, { outcome: "ok" });
    sums.add("x.shares", 1, { outcome: "bad" });
    sums.add("x.lines", 7, {});
    const taken: unknown[] = [];
    sums.take((...it) => taken.push(it));
    sums.take((...it) => taken.push(it));
    expect(taken).toEqual([
      ["x.shares", 6, { outcome: "ok" }],
      ["x.shares", 1, { outcome: "bad" }],
      ["x.lines", 7, {}],
    ]);
  });

  test("names that are made up without end are refused, not kept", () => {
    const sums = new Sums();
    const taken = Array.from({ length: 20_000 }, (_, i) => sums.add(`x.${i}`, 1, {})).filter(Boolean);
    expect(taken.length).toBe(10_000);
    expect(sums.add("x.0", 1, {})).toBe(true);
  });
});
