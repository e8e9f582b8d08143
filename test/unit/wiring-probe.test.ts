// The probe of a process: alive, ready, and its measurements as Prometheus fetches them.

import { expect, test } from "@jest/globals";
import { z } from "zod";
import { defineContract, houseSettings, type MetricTable, method, openHouse } from "../../lib/wiring/index.js";
import { atEnd } from "../kit/cleanup.js";
import { freePort } from "../kit/ports.js";
import { startRedis } from "../kit/redis.js";

const talk = defineContract({
  service: "talk",
  methods: { hello: method({ request: z.object({}), reply: z.object({}), idempotent: true }) },
  pushes: {},
});

const table = {
  "talk.words": { kind: "count", unit: "words", tags: ["language"], meaning: "Words said." },
  "talk.listeners": { kind: "gauge", unit: "people", tags: [], meaning: "Who listens." },
  "talk.pause_ms": { kind: "timing", unit: "ms", tags: [], meaning: "Between two words." },
} as const satisfies MetricTable;

async function setup(probe: object = {}) {
  const redis = await startRedis();
  const settings = houseSettings.parse({
    ...{ cluster: "test", redis: { url: redis.url }, log: { level: "silent" }, probe },
  });
  const house = await openHouse(settings, { probe: true, tables: [table] });
  atEnd(() => house.close());
  return house;
}

async function get(url: string, path: string, method = "GET") {
  const response = await fetch(`${url}${path}`, { method });
  return { status: response.status, text: await response.text(), type: response.headers.get("content-type") };
}

test("a process is alive at once, and ready when all that it offers is; discovery says where to ask", async () => {
  const house = await setup();
  const hosted = await house.nexus.host(talk, { hello: () => ({}) }, { announce: false });
  const url = hosted.instance.meta.http ?? "";
  expect(await get(url, "/healthz")).toMatchObject({ status: 200, text: '{"status":"alive"}\n' });
  const before = await get(url, "/readyz");
  expect(before.status).toBe(503);
  expect(JSON.parse(before.text)).toEqual({ status: "not ready", reasons: [`${hosted.instance.id} is starting`] });
  await hosted.announce();
  expect(await get(url, "/readyz")).toMatchObject({ status: 200, text: '{"status":"ready"}\n' });
  await hosted.drain(1_000);
  expect((await get(url, "/readyz")).status).toBe(503);
  await house.close();
  await expect(get(url, "/healthz")).rejects.toThrow();
});

test("what is counted, gauged and timed is fetched as Prometheus has it, in seconds and with its labels", async () => {
  const house = await setup();
  const hosted = await house.nexus.host(talk, { hello: () => ({}) });
  house.metrics.count("talk.words", 2, { language: "en" });
  house.metrics.count("talk.words", 3, { language: "en" });
  house.metrics.count("talk.words", 1, { language: "de" });
  house.metrics.gauge("talk.listeners", 7);
  house.metrics.gauge("talk.listeners", Number.NaN);
  house.metrics.timing("talk.pause_ms", 30);
  const { text, type } = await get(hosted.instance.meta.http ?? "", "/metrics");
  expect(type).toMatch(/^text\/plain; version=0\.0\.4/);
  expect(text).toContain("# HELP headframe_talk_words_total Words said. (words)");
  expect(text).toContain("# TYPE headframe_talk_words_total counter");
  expect(text).toMatch(/^headframe_talk_words_total\{language="en",cluster="test"\} 5$/m);
  expect(text).toMatch(/^headframe_talk_words_total\{language="de",cluster="test"\} 1$/m);
  expect(text).toMatch(/^headframe_talk_pause_seconds_bucket\{le="0.025",cluster="test"\} 0$/m);
  expect(text).toMatch(/^headframe_talk_pause_seconds_bucket\{le="0.05",cluster="test"\} 1$/m);
  expect(text).toMatch(/^headframe_talk_pause_seconds_sum\{cluster="test"\} 0.03$/m);
  expect(text).toMatch(/^headframe_process_resident_memory_bytes\{cluster="test"\} \d+$/m);
});

test("only the three are answered, a taken port costs another one, and without a probe nothing listens", async () => {
  const port = await freePort();
  const first = await setup({ port });
  const second = await setup({ port });
  const [a, b] = await Promise.all([first, second].map((house) => house.nexus.host(talk, { hello: () => ({}) })));
  expect(a?.instance.meta.http).toBe(`http://127.0.0.1:${port}`);
  expect(b?.instance.meta.http).not.toBe(a?.instance.meta.http);
  const url = b?.instance.meta.http ?? "";
  expect((await get(url, "/healthz")).status).toBe(200);
  expect((await get(url, "/etc/passwd")).status).toBe(404);
  expect((await get(url, "/healthz", "POST")).status).toBe(405);
  const none = await (await setup({ enabled: false })).nexus.host(talk, { hello: () => ({}) });
  expect(none.instance.meta).toEqual({});
});
