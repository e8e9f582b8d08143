// What doctor, config and logs make of what they find: pure.

import { describe, expect, test } from "@jest/globals";
import { parse } from "smol-toml";
import { withSuggestions } from "../../../bin/cli.js";
import { sampleFor } from "../../../bin/commands/config.js";
import { pick } from "../../../bin/commands/logs.js";
import { configSchema } from "../../../bin/config.js";
import { judgeDaemons } from "../../../bin/doctor/daemons.js";
import { judgeFiles, judgeNode } from "../../../bin/doctor/machine.js";
import { judgeRedis, parseInfo, type RedisFacts } from "../../../bin/doctor/redis.js";
import { judgeInstances, neededBy } from "../../../bin/doctor/services.js";
import { drawEntry } from "../../../bin/logs/draw.js";
import { parseEntry, type Wanted } from "../../../bin/logs/entry.js";
import { maskSecrets } from "../../../lib/core/secrets.js";
import { instance } from "../../../lib/wiring/index.js";

describe("doctor", () => {
  const redis = (info: string, more: Partial<RedisFacts> = {}) => {
    const facts = { info: parseInfo(info), save: "", appendfsync: "everysec", skewMs: 0, roundTripMs: 1, ...more };
    return judgeRedis("redis", facts).filter(({ verdict }) => verdict !== "good");
  };
  const SAFE = "aof_enabled:1\r\nmaxmemory_policy:noeviction\r\nmaxmemory:0\r\n";

  test("a Redis that keeps everything is good; one that would lose data is told by what", () => {
    expect(redis(SAFE)).toEqual([]);
    expect(redis(SAFE.replace("aof_enabled:1", "aof_enabled:0"))).toMatchObject(
      [{ verdict: "bad", text: /no persistence/ }].map(anyText),
    );
    const snapshots = redis("aof_enabled:0", { save: "3600 1" });
    expect(snapshots).toMatchObject([{ verdict: "warning" }]);
    const evicting = redis(SAFE.replace("noeviction", "allkeys-lru").replace("maxmemory:0", "maxmemory:1000"));
    expect(evicting).toMatchObject([{ verdict: "bad", mend: expect.stringContaining("noeviction") }]);
    expect(redis(`${SAFE}role:slave\r\naof_last_write_status:err\r\n`)).toHaveLength(2);
    expect(redis(SAFE, { skewMs: -7_000 })).toMatchObject([
      { verdict: "bad", text: expect.stringContaining("behind") },
    ]);
    expect(redis(SAFE, { skewMs: 7_000, roundTripMs: 13_000 })).toEqual([]);
  });

  test("daemons: absent, out of sync, without peers, apart from each other, alone", () => {
    const chain = { chain: "main", blocks: 100, headers: 100, bestblockhash: "", initialblockdownload: false };
    const network = { subversion: "/x/", connections: 8, timeoffset: 0 };
    const daemon = (name: string, more: object = {}) => ({
      name,
      url: "http://d:1",
      chain: { ...chain, ...more },
      network,
    });
    const wrong = (...all: Parameters<typeof judgeDaemons>[0]) =>
      judgeDaemons(all, false).filter(({ verdict }) => verdict !== "good");
    expect(wrong(daemon("a"), daemon("b"))).toEqual([]);
    expect(wrong(daemon("a"))).toMatchObject([{ verdict: "warning", what: "daemons" }]);
    expect(wrong(daemon("a"), daemon("b", { blocks: 90 }))).toHaveLength(2);
    const away = { name: "b", url: "http://d:1", failure: { code: "UNREACHABLE", text: "no connection" } };
    expect(wrong(daemon("a"), away)).toMatchObject([{ verdict: "bad", mend: expect.stringContaining("http://d:1") }]);
    const lonely = { ...daemon("b"), network: { ...network, connections: 0, timeoffset: 30 } };
    expect(wrong(daemon("a"), lonely)).toHaveLength(2);
  });

  test("limits and versions of this machine", () => {
    expect(judgeNode("20.20.2").verdict).toBe("good");
    expect(judgeNode("18.19.0")).toMatchObject({ verdict: "bad", mend: expect.stringContaining("20.19") });
    expect(judgeFiles({ soft: 1_024, hard: 1_024 }, 1_000)).toMatchObject({
      verdict: "bad",
      mend: expect.stringContaining("2512"),
    });
    expect(judgeFiles({ soft: 1_024, hard: 1_048_576 }, 1_000).verdict).toBe("warning");
    expect(judgeFiles({ soft: 1_048_576, hard: 1_048_576 }, undefined).verdict).toBe("good");
  });

  test("services: what is missing, what is alone, what runs another version", () => {
    const one = (service: string, id: string, version = "1") =>
      instance.parse({
        service,
        id,
        version,
        host: "h",
        pid: 1,
        endpoint: "e",
        startedAt: 1,
        state: "ready",
        meta: {},
      });
    expect(judgeInstances([], "1")).toMatchObject([{ verdict: "warning" }]);
    const all = ["jobmanager", "stratum", "reporter"].flatMap((it) => [one(it, `${it}-1`), one(it, `${it}-2`)]);
    const whole = [...all, one("edge", "e"), one("haproxy", "h")];
    expect(judgeInstances(whole, "1").every(({ verdict }) => verdict === "good")).toBe(true);
    expect(judgeInstances(whole.slice(1), "1")).toContainEqual(
      expect.objectContaining({ what: "jobmanager", verdict: "warning" }),
    );
    expect(judgeInstances(whole, "2")).toContainEqual(
      expect.objectContaining({ what: "versions", mend: expect.stringContaining("headframe swap stratum") }),
    );
  });

  test("a service of one's own is no broken pool: what it needs follows from what the edge serves, and its version is its own", () => {
    const { edge, jobmanager } = configSchema.parse({ edge: { backend: "talk" } });
    const needed = neededBy({ edge, jobmanager });
    expect(needed).toEqual({ talk: 2, edge: 1, haproxy: 1 });
    const of = (service: string, id: string, version: string, startedAt = 1) =>
      instance.parse({
        ...{ service, id, version, startedAt, host: "h", pid: 1, endpoint: "tcp://h:1", state: "ready", meta: {} },
      });
    const own = [of("talk", "talk-a", "7.0.0"), of("edge", "edge-a", "1"), of("haproxy", "haproxy-a", "1")];
    const both = [...own, of("talk", "talk-b", "7.0.0")];
    expect(judgeInstances(both, "1", needed).every(({ verdict }) => verdict === "good")).toBe(true);
    const mixed = [...own, of("talk", "talk-b", "7.1.0", 2)];
    expect(judgeInstances(mixed, "1", needed)).toContainEqual(
      expect.objectContaining({ verdict: "warning", what: "versions", mend: "headframe swap talk" }),
    );
  });
});

const anyText = ({ verdict, text }: { verdict: string; text: RegExp }) => ({
  verdict,
  text: expect.stringMatching(text),
});

describe("config", () => {
  const asked = {
    ...{
      address: "ltc1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqp9ysmq",
      coin: "litecoin",
      network: "main",
      daemon: "http://127.0.0.1:9332",
    },
    ...{ cookie: "/x/.cookie", redis: "redis://127.0.0.1:6379", port: 3333 },
  };
  const sample = sampleFor(asked);

  test("a coin without a preset, or a network that no preset has, is refused by name with those that are there", () => {
    expect(() => sampleFor({ ...asked, coin: "dogecoin" })).toThrow(/--coin dogecoin: there is litecoin, bitcoin;/);
    expect(() => sampleFor({ ...asked, network: "moon" })).toThrow(/--network moon: there is main, test, regtest/);
  });

  test("the file to start from is accepted as it is, and says what it was told", () => {
    expect(configSchema.parse(parse(sample))).toMatchObject({
      jobmanager: {
        payout: { address: "ltc1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqp9ysmq" },
        daemons: [{ url: "http://127.0.0.1:9332" }],
      },
      haproxy: { listeners: [{ name: "default", port: 3333 }] },
    });
  });

  test("every default in it is what the schema takes when nothing is set", () => {
    const plain = (text: string) => JSON.stringify(configSchema.parse(parse(text)).stratum);
    const uncommented = sample.replace(/^#(\[stratum\])$/m, "$1").replace(/^#(noWorkDisconnectMs = .*)$/m, "$1");
    expect(plain(uncommented)).toBe(plain(sample));
    expect(sample).toMatch(/^#\[\[redis\.sentinels\]\]$/m);
  });

  test("secrets are masked wherever they stand", () => {
    const shown = maskSecrets({
      redis: { url: "redis://u:p4ss@h:1" },
      daemons: [{ password: "p4ss", passwordFile: "/f" }],
    });
    expect(shown).toEqual({ redis: { url: "redis://u:***@h:1" }, daemons: [{ password: "***", passwordFile: "/f" }] });
  });
});

describe("logs", () => {
  const nothing: Wanted = {
    ...{ services: [], level: undefined, connection: undefined, job: undefined, share: undefined },
    ...{ worker: undefined, text: undefined },
  };
  const line = (source: string, time: number, fields: object) => ({
    source,
    text: JSON.stringify({ level: 20, time, ...fields }),
  });
  const lines = [
    line("reporter", 30, { msg: "in the log", connection: "c1", line: 7, job: "1a", share: "abcd", worker: "Alice" }),
    line("keeper", 10, { msg: "line came", connection: "c1", line: 7 }),
    line("keeper", 11, { msg: "line came", connection: "c1", line: 8 }),
    line("stratum", 20, { level: 50, msg: "refused", connection: "c1", line: 8, job: "1A0900005", share: "ffff" }),
    { source: "redis", text: "4711:M 21 Nov 2026 10:44:56.120 * Ready" },
  ];
  const texts = (wanted: Partial<Wanted>) => pick(lines, { ...nothing, ...wanted }).map(({ text }) => text);

  test("lines of all processes come by time, and are found by level, service, job, worker and text", () => {
    expect(texts({}).slice(0, 4)).toEqual(["line came", "line came", "refused", "in the log"]);
    expect(texts({ level: "warn" })).toEqual(["refused"]);
    expect(texts({ services: ["redis"] })).toHaveLength(1);
    expect(texts({ job: "1a" })).toEqual(["refused", "in the log"]);
    expect(texts({ worker: "alice" })).toEqual(["in the log"]);
    expect(texts({ text: "READY" })).toHaveLength(1);
  });

  test("a share brings the line along that it came by", () => {
    expect(texts({ share: "abc" })).toEqual(["line came", "in the log"]);
  });

  test("an entry reads in one line, its error below it; a line that is no JSON stays what it is", () => {
    const at = new Date(2026, 0, 2, 3, 4, 5, 6).getTime();
    const text = JSON.stringify({
      level: 40,
      time: at,
      pid: 7,
      msg: "away",
      redis: "a b",
      err: { stack: "Error: x\n    at y" },
    });
    expect(drawEntry(parseEntry("stratum", text), false)).toBe(
      '03:04:05.006  warn   stratum 7                 away  redis="a b"\n    Error: x\n    at y',
    );
    expect(drawEntry(parseEntry("haproxy", "{ cut"), false)).toContain("{ cut");
  });
});

test("an unknown flag comes with the nearest one, if one is near", () => {
  const help = "--json  --config  --limit";
  expect(withSuggestions("Unknown argument: jsno\nSee", ["jsno"], help)).toBe(
    "Unknown argument: jsno Did you mean --json?\nSee",
  );
  expect(withSuggestions("Unknown argument: zzzzzzz", ["zzzzzzz"], help)).toBe("Unknown argument: zzzzzzz");
});
