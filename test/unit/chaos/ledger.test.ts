// The breaking machine's checks, each with the very thing done to it that it is there to notice: a check that cannot fail is none.

import { beforeEach, expect, test } from "@jest/globals";
import { kindOf } from "../../../chaos/kinds.js";
import { type Broken, Ledger } from "../../../chaos/ledger.js";
import type { AnswerSeen, Seen, SilenceSeen } from "../../../chaos/seen.js";

const T = 1_800_000_000_000;
let ledger: Ledger;
beforeEach(() => {
  ledger = new Ledger();
});

const session = (client: number, extranonce1: string, more: object = {}): Seen =>
  ({ kind: "session", client, atMs: T, session: `s${client}`, extranonce1, ...more }) as Seen;
const job = (client: number, height: number): Seen => ({ kind: "job", client, atMs: T, job: "j1", height });
const end = (client: number, by: "us" | "pool", atMs = T + 10): Seen => ({ kind: "end", client, atMs, by, why: "x" });
const answer = (client: number, identity: string, more: Partial<AnswerSeen> = {}): AnswerSeen => ({
  ...{ kind: "answer", client, method: "mining.submit", askedMs: T, atMs: T + 10 },
  share: { identity, height: 1_001 },
  ...more,
});
const silence = (more: Partial<SilenceSeen> = {}): SilenceSeen => ({
  ...{ kind: "silence", client: 0, method: "mining.submit", askedMs: T },
  ...more,
});

const fault = (name: string, fromMs: number, untilMs = fromMs) => {
  const kind = kindOf(name);
  if (!kind) throw new Error(`no kind ${name}`);
  ledger.felt({ number: 1, kind, target: "1234", fromMs, untilMs });
};

const see = (...all: Seen[]) => {
  for (const seen of all) ledger.see(seen);
};
const promises = () => ledger.broken.map(({ promise }) => promise);
const only = (): Broken => {
  expect(ledger.broken).toHaveLength(1);
  const [broken] = ledger.broken;
  if (!broken) throw new Error("nothing is broken");
  return broken;
};

test("an honest run breaks nothing", () => {
  see(session(0, "aa"), session(1, "bb"), job(0, 1_001), job(1, 1_001));
  see(answer(0, "h1"), answer(1, "h2"), job(0, 1_002), answer(0, "h3"));
  see(answer(0, "h4", { refused: { code: 21, text: "Stale share" } }), end(0, "us"), end(1, "us"));
  ledger.settle(["h1", "h2", "h3"]);
  expect(ledger.broken).toEqual([]);
  expect(ledger.counts).toMatchObject({
    shares: 4,
    accepted: 3,
    stale: 1,
    refused: 0,
    recorded: 3,
    lost: 0,
    double: 0,
  });
});

test("a share that was answered true and is not in the log breaks S1 and is counted as lost", () => {
  see(answer(0, "h1"), answer(0, "h2"));
  ledger.settle(["h1"]);
  expect(only()).toMatchObject({ promise: "S1", client: 0, what: expect.stringContaining("h2") });
  expect(ledger.counts.lost).toBe(1);
});

test("a share that stands in the log twice breaks S1 once and is counted as double", () => {
  see(answer(3, "h1"));
  ledger.settle(["h1", "h1", "h1"]);
  expect(only()).toMatchObject({ promise: "S1", client: 3, what: expect.stringContaining("more than once") });
  expect(ledger.counts.double).toBe(1);
});

test("a share of nobody's that stands in the log twice is double all the same", () => {
  ledger.settle(["h9", "h9"]);
  expect(promises()).toEqual(["S1"]);
});

test("a recorded share whose answer was lost is no broken promise", () => {
  ledger.settle(["h1"]);
  expect(ledger.broken).toEqual([]);
});

test("two live sessions under one extranonce1 break C4", () => {
  see(session(0, "aa"), session(1, "aa"));
  expect(only()).toMatchObject({ promise: "C4", client: 1, what: expect.stringContaining("client 0") });
});

test("an extranonce1 may be had again once its client is gone", () => {
  see(session(0, "aa"), end(0, "us"), session(1, "aa"));
  expect(ledger.broken).toEqual([]);
});

test("a client that comes back with its session id and gets another extranonce1 breaks C4", () => {
  see(session(0, "aa"), end(0, "us"), session(0, "bb", { before: "aa" }));
  expect(only()).toMatchObject({ promise: "C4", what: expect.stringContaining("aa") });
  expect(ledger.counts.resumed).toBe(1);
});

test("a job of a lower height than the one before breaks J1, for that client alone", () => {
  see(job(0, 1_002), job(1, 1_001), job(0, 1_001));
  expect(only()).toMatchObject({ promise: "J1", client: 0 });
});

test("a client that connects anew may be told any height", () => {
  see(session(0, "aa"), job(0, 1_002), end(0, "us"), session(0, "aa"), job(0, 1_001));
  expect(ledger.broken).toEqual([]);
});

test("an honest share refused as stale while its job is the newest that the miner was told breaks J1", () => {
  see(job(0, 1_001), answer(0, "h1", { refused: { code: 21, text: "Job not found" } }));
  expect(only()).toMatchObject({ promise: "J1", client: 0 });
});

test.each([
  [22, "S2"],
  [23, "S1"],
  [24, "S1"],
  [25, "S1"],
  [20, "S1"],
])("an honest share refused with code %i breaks %s", (code, promise) => {
  see(job(0, 1_001), answer(0, "h1", { refused: { code, text: "no" } }));
  expect(only()).toMatchObject({ promise, what: expect.stringContaining(String(code)) });
});

test("one share that is answered true twice breaks S2", () => {
  see(answer(0, "h1"), answer(1, "h1"));
  ledger.settle(["h1"]);
  expect(only()).toMatchObject({ promise: "S2", client: 1 });
});

test.each([
  ["kill-stratum", "C1"],
  ["kill-edge", "C2"],
  ["reload-haproxy", "C3"],
  ["outage-redis", "C3"],
])("a client that the pool disconnects while %s is felt breaks %s", (kind, promise) => {
  fault(kind, T);
  see(session(0, "aa"), end(0, "pool", T + 100));
  expect(only()).toMatchObject({ promise, client: 0, faults: [`#1 ${kind} 1234`] });
  expect(ledger.counts.disconnected).toBe(1);
});

test("a client that is disconnected for no reason at all breaks C1", () => {
  see(end(0, "pool"));
  expect(only()).toMatchObject({ promise: "C1", faults: [] });
});

test("an answer to no question breaks L1", () => {
  see({ kind: "strange", client: 5, atMs: T, line: '{"id":99}', why: "it answers no question" });
  expect(only()).toMatchObject({ promise: "L1", client: 5 });
});

test("a question without an answer breaks L1, unless an edge was killed while it was under way", () => {
  see(silence());
  expect(only()).toMatchObject({ promise: "L1" });
  ledger = new Ledger();
  fault("kill-edge", T + 100);
  see(silence({ laterMs: T + 500 }));
  expect(ledger.broken).toEqual([]);
  expect(ledger.counts.unanswered).toBe(1);
});

test("an edge that is handed over, or that was killed at another time, excuses no silence", () => {
  fault("handover-edge", T + 100);
  fault("kill-edge", T - 5_000);
  fault("kill-edge", T + 20_000);
  see(silence({ laterMs: T + 500 }));
  expect(promises()).toEqual(["L1"]);
});

test.each([
  ["kill-stratum", 990, 1_100, "C1"],
  ["kill-edge", 1_990, 2_100, "C2"],
  ["handover-edge", 990, 1_100, "C2"],
])("while %s is felt a wait of %i ms is kept and one of %i ms breaks %s", (kind, good, bad, promise) => {
  fault(kind, T);
  see(answer(0, "h1", { atMs: T + good }));
  expect(ledger.broken).toEqual([]);
  see(answer(1, "h2", { atMs: T + bad }));
  expect(only()).toMatchObject({ promise, client: 1, waitedMs: bad });
});

test("patience multiplies what a client may wait, and excuses nothing else", () => {
  ledger = new Ledger(3);
  see(answer(0, "h1", { atMs: T + 2_900 }));
  expect(ledger.broken).toEqual([]);
  see(answer(0, "h2", { atMs: T + 3_100 }), end(0, "pool"));
  expect(promises()).toEqual(["C1", "C1"]);
});

test("no share can be kept while the spool's disk is full: its time is added to what a client may wait", () => {
  fault("disk-full", T, T + 3_000);
  see(answer(0, "h1", { atMs: T + 6_900 }));
  expect(ledger.broken).toEqual([]);
  see(answer(0, "h2", { atMs: T + 7_100 }));
  expect(promises()).toEqual(["S1"]);
});

test("an edge that stands still has two seconds, however long it would stand", () => {
  fault("freeze-edge", T, T + 6_000);
  see(answer(0, "h1", { atMs: T + 1_900 }));
  expect(ledger.broken).toEqual([]);
  see(answer(0, "h2", { atMs: T + 2_100 }));
  expect(promises()).toEqual(["C2"]);
});

test("an edge killed has two seconds, be Redis slow or away; with both edges killed and Redis away nobody can be served", () => {
  fault("slow-redis", T - 1_000, T + 10_000);
  fault("outage-redis", T - 1_000, T + 9_000);
  fault("kill-edge", T);
  see(answer(0, "h1", { atMs: T + 1_900 }));
  expect(promises()).toEqual([]);
  see(answer(0, "h2", { atMs: T + 2_100 }));
  expect(promises()).toEqual(["C2"]);
  fault("kill-edges", T);
  see(answer(0, "h3", { atMs: T + 9_900 }));
  expect(promises()).toEqual(["C2"]);
});

test("each fault has its own toll: its worst wait, how many were beyond the limit, whose limit that was and why", () => {
  fault("kill-reporter", T);
  fault("kill-edge", T + 500);
  fault("kill-daemon", T + 60_000);
  see(answer(0, "h1", { atMs: T + 1_900 }), answer(0, "h2", { atMs: T + 2_500 }), answer(0, "h3", { atMs: T + 9 }));
  ledger.late({ fromMs: T + 100, untilMs: T + 220 });
  ledger.late({ fromMs: T + 30_000, untilMs: T + 39_000 });
  ledger.busy({ fromMs: T - 700, untilMs: T + 200 });
  const shared = {
    worstMs: 2_500,
    beyond: 1,
    limitMs: 2_000,
    promise: "C2",
    why: "an edge was killed",
    ownDelayMs: 120,
  };
  expect(ledger.tolls).toMatchObject([
    { kind: "kill-reporter", ...shared, busyMs: 900 },
    { kind: "kill-edge", ...shared, ownDelayMs: 0, busyMs: 0 },
    { kind: "kill-daemon", worstMs: 0, beyond: 0, limitMs: 1_000, ownDelayMs: 0, busyMs: 0 },
  ]);
});

test("waiting is counted under every fault that was felt meanwhile, and no other", () => {
  fault("kill-stratum", T);
  fault("kill-daemon", T + 60_000, T + 70_000);
  see(answer(0, "h1", { atMs: T + 50 }), answer(0, "h2", { askedMs: T + 65_000, atMs: T + 65_005 }));
  expect(ledger.stalls.of("kill-stratum")).toMatchObject({ count: 1, max: 50 });
  expect(ledger.stalls.of("kill-daemon")).toMatchObject({ count: 1, max: 5 });
  expect(ledger.stalls.all.count).toBe(2);
});

test("an instance that does not come back breaks C1", () => {
  ledger.notBack("stratum 1234 is gone for good", T);
  expect(promises()).toEqual(["C1"]);
});
