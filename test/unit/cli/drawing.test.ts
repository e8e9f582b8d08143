// What commands print, from plain data: tables, sparklines, the screen of top, findings.

import { stripVTControlCharacters } from "node:util";
import { describe, expect, test } from "@jest/globals";
import { newestOnly } from "../../../bin/commands/miners.js";
import { drawInstances, isSenior } from "../../../bin/commands/ps.js";
import { drawFindings, good } from "../../../bin/doctor/finding.js";
import { sparkline } from "../../../bin/draw/sparkline.js";
import { drawBlocks, drawMiner, drawMiners, drawRounds, drawShare, short } from "../../../bin/draw/tables.js";
import { drawTop, drawTopLine, sortWorkers } from "../../../bin/top/draw.js";
import { History } from "../../../bin/top/history.js";
import type { Look } from "../../../bin/top/view.js";
import { loggedShare, minerFacts, round, workerStats } from "../../../lib/contracts/index.js";
import { instance } from "../../../lib/wiring/index.js";

const NOW = 1_700_000_000_000;

test.each([
  [[], "    "],
  [[0, 0], "  ▁▁"],
  [[1, 2, 4, 8], "▂▃▅█"],
  [[9, 9, 0, 4, 8, 2], "▁▅█▃"],
])("the sparkline of %j is %j", (values, line) => expect(sparkline(values, 4)).toBe(line));

test.each([
  [0.00003, "0.00003"],
  [999, "999"],
  [12_345, "12.3k"],
  [5e19, "50.0E"],
])("%d is told as %s", (value, text) => expect(short(value)).toBe(text));

const miner = (more: object = {}) => ({
  ...minerFacts.parse({
    ...{ connection: "c1", address: "10.0.0.7", listener: "default", agent: "cgminer/4", workers: ["alice.rig1"] },
    ...{ phase: "mining", difficulty: 16, hashrate: 1_234, since: NOW - 90_000, servedSince: NOW - 5_000 },
    ...{ lastShareAt: NOW - 2_000, accepted: 7, rejected: { stale: 3, duplicate: 1 } },
    ...more,
  }),
  instance: "stratum-1",
});

test("miners come as a table, one of them in full with its rejects by reason", () => {
  const table = drawMiners([miner(), miner({ workers: [], phase: "subscribing", difficulty: undefined })], NOW);
  expect(table).toMatch(/alice\.rig1 +10\.0\.0\.7 +c1 +16 +1\.23 kH\/s +7 +2s ago +1m 30s/);
  expect(table).toMatch(/\(subscribing\) .* - /);
  expect(table).toContain("count from when the present instance took the connection over");
  expect(drawMiner(miner(), NOW)).toMatch(/served by +stratum-1, for 5s[\s\S]*rejected +3 stale, 1 duplicate/);
  expect(drawMiners([], NOW)).toContain("No such miner");
});

test("a connection that moved while it was listed is shown once, at the instance that has it now", () => {
  const old = miner({ servedSince: NOW - 5_000 });
  const now = { ...miner({ servedSince: NOW }), instance: "stratum-2" };
  expect(
    newestOnly([now, old, miner({ connection: "c2" })]).map(({ connection, instance: at }) => [connection, at]),
  ).toEqual([
    ["c1", "stratum-2"],
    ["c2", "stratum-1"],
  ]);
});

test("shares, blocks and rounds read in one line each", () => {
  const share = loggedShare.parse({
    ...{ record: "1-0", id: "ab".repeat(32), connection: "c1", line: 7, worker: "alice.rig1", job: "1a", height: 100 },
    ...{ difficulty: 2, achieved: 3.5, at: NOW, block: true },
  });
  expect(drawShare(share)).toMatch(
    /^22:13:20\.000 {2}alice\.rig1 +2 \(reached 3\.5\) +height 100 {2}job 1a {2}c1#7 {2}abab.*BLOCK$/,
  );
  expect(drawBlocks([], NOW)).toContain("No block");
  const workers = ["a", "b", "c", "d"].map((worker) => ({ worker, difficulty: 25 }));
  const open = round.parse({
    round: 3,
    openedAt: NOW - 5_000,
    shares: 4,
    difficultySum: 100,
    workers,
    workerCount: 20_004,
  });
  expect(drawRounds([open], NOW)).toMatch(/3 +open +5s +4 +100 +a 25\.0 %, b 25\.0 %, c 25\.0 %, 20001 more/);
});

const anInstance = (id: string, state: string, startedAt: number) =>
  instance.parse({
    service: "stratum",
    id,
    host: "h",
    pid: 1,
    endpoint: "tcp://h:1",
    version: "1",
    state,
    startedAt,
    meta: {},
  });

test("ps names the senior, who is the eldest that is ready, and each one's clients", () => {
  const all = [
    anInstance("stratum-a", "draining", 1),
    anInstance("stratum-b", "ready", 2),
    anInstance("stratum-c", "ready", 3),
  ];
  expect(all.map((it) => isSenior(it, all))).toEqual([false, true, false]);
  const drawn = drawInstances(all, NOW, new Map([["stratum-b", 12]]));
  expect(drawn).toMatch(/stratum-b +ready .* 12 .*senior/);
  expect(drawn).toMatch(/stratum-c +ready .* - /);
});

test("ps fits 80 columns, a line an instance; --wide also has host, endpoint and what each says of itself", () => {
  const one = instance.parse({
    ...{ service: "jobmanager", id: "jobmanager-1a2b3c4d", host: "a-host-with-a-long-name", pid: 123_456 },
    ...{ endpoint: "tcp://127.0.0.1:40123", version: "0.1.0", state: "starting", startedAt: NOW - 7_200_000 },
    meta: { http: "http://127.0.0.1:40124" },
  });
  const narrow = drawInstances([one], NOW, new Map(), false);
  for (const line of narrow.split("\n")) expect(line.trimEnd().length).toBeLessThanOrEqual(80);
  expect(narrow).toMatch(/jobmanager-1a2b3c4d +starting +2h 0m +- +123456 +0\.1\.0/);
  const wide = drawInstances([one], NOW);
  for (const part of [one.host, one.endpoint, "http=http://127.0.0.1:40124"]) expect(wide).toContain(part);
});

const worker = (name: string, hashrate1m: number, more: object = {}) =>
  workerStats.parse({
    ...{ worker: name, hashrate1m, hashrate5m: 1, hashrate1h: 1, accepted: 1, rejected: 0, difficultySum: 1 },
    ...more,
  });

function look(at: number, accepted: number, more: Partial<Look> = {}): Look {
  const pool = {
    hashrate1m: accepted,
    hashrate1h: 5,
    accepted,
    rejected: { stale: 2 },
    workersActive: 2,
    blocks: 1,
    round: 2,
  };
  return {
    ...{ at, pool: { ...pool, spooled: 3 }, daemons: [], troubles: ["no jobmanager runs"], loads: new Map([["e", 9]]) },
    workers: [worker("slow", 1), worker("fast", 1_000, { rejected: 4 })],
    instances: [anInstance("stratum-a", "ready", at - 4_000)],
    ...more,
  };
}

describe("top", () => {
  const history = new History();
  history.add(look(NOW, 10));
  const last = look(NOW + 2_000, 30);
  history.add(last);
  const view = history.view(last, "hashrate");

  test("shows the pool's course, what is wrong, every instance, and workers in the asked order", () => {
    const size = { columns: 140, rows: 40 };
    const text = drawTop(view, { ...size, colours: false });
    expect(text).toMatch(/pool +30\.0 H\/s .*▃█/);
    expect(text).toMatch(/shares +10\.00 \/s/);
    expect(text).toContain("rejected: 2 stale");
    expect(text).toContain("3 in the spool");
    expect(text).toContain("trouble no jobmanager runs");
    expect(text.indexOf("fast")).toBeLessThan(text.indexOf("slow"));
    expect(stripVTControlCharacters(drawTop(view, { ...size, colours: true }))).toBe(text);
  });

  test("fits the screen: workers that do not are counted", () => {
    const workers = Array.from({ length: 50 }, (_, i) => worker(`w${i}`, i));
    const lines = drawTop({ ...view, workers }, { columns: 60, rows: 24, colours: false }).split("\n");
    expect(lines.length).toBeLessThanOrEqual(24);
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(60);
    expect(lines.join("\n")).toMatch(/\.\.\. \d+ more/);
  });

  test("80 x 24 keeps the headline, the figures and the instances that need attention", () => {
    const many = Array.from({ length: 12 }, (_, i) => anInstance(`stratum-${i}`, i === 4 ? "starting" : "ready", NOW));
    const workers = Array.from({ length: 50 }, (_, i) => worker(`w${i}`, i));
    const shown = { ...view, workers, instances: many };
    const lines = drawTop(shown, { columns: 80, rows: 24, colours: false }).split("\n");
    expect(lines.length).toBeLessThan(24);
    expect(lines[0]).toMatch(/^Headframe/);
    const text = lines.join("\n");
    for (const part of ["1 h: 5.00 H/s", "rejected: 2 stale", "1 blocks", "11 of 12 ready: 11 stratum", "q quits"])
      expect(text).toContain(part);
    expect(text).toMatch(/stratum-4 +starting/);
    expect(text).toMatch(/w49 .*\n/);
  });

  test("is one line where there is no screen", () => {
    expect(drawTopLine(view)).toMatch(
      /30\.0 H\/s {3}2 workers {3}30 accepted {3}2 rejected {3}1 blocks .* no jobmanager runs$/,
    );
  });

  test("sorts by what is asked for", () => {
    const names = (sort: Parameters<typeof sortWorkers>[1]) => sortWorkers(view.workers, sort).map((it) => it.worker);
    expect(names("rejected")).toEqual(["fast", "slow"]);
    expect(names("name")).toEqual(["fast", "slow"]);
    expect(names("accepted")).toEqual(["fast", "slow"]);
  });
});

test("a finding that is wrong is printed with the command that fixes it", () => {
  const text = drawFindings(
    [good("node", "20"), { what: "redis", verdict: "bad", text: "gone", mend: "redis-server" }],
    false,
  );
  expect(text).toBe(
    "ok    node   20\nBAD   redis  gone\n             fix: redis-server\n\n1 error, 0 warnings, 1 ok\n",
  );
});
