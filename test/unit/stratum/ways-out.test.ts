// The ways out of an instance when the other side is slow, away or wrong.

import { afterEach, describe, expect, test } from "@jest/globals";
import { pack } from "msgpackr";
import { pino } from "pino";
import type {
  ConnectionId,
  Difficulty,
  EpochMs,
  Handle,
  Job,
  JobId,
  LineNumber,
  Out,
  ReporterContract,
  Share,
  ShareOutcome,
  WorkerName,
} from "../../../lib/contracts/index.js";
import {
  type Client,
  type Instance,
  noMetrics,
  type PeerId,
  type PushListener,
  WiringError,
} from "../../../lib/wiring/index.js";
import { InJobs } from "../../../services/stratum/in-jobs.js";
import { JobBook } from "../../../services/stratum/jobs.js";
import { OutBlocks } from "../../../services/stratum/out-blocks.js";
import { OUTS_PER_PUSH, OutLines } from "../../../services/stratum/out-lines.js";
import { OutShares } from "../../../services/stratum/out-shares.js";
import { OutState, type States } from "../../../services/stratum/out-state.js";
import { encodeSnapshot } from "../../../services/stratum/snapshot.js";
import { Tally } from "../../../services/stratum/tally.js";
import { until } from "../../kit/until.js";
import { craftJob, JUNIOR, SENIOR } from "./craft.js";

const log = pino({ level: "silent" });
const tally = new Tally(noMetrics);
const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

const share = (line: number): Share => ({
  identity: Buffer.alloc(32, line),
  connection: "tcp/one" as ConnectionId,
  line: line as LineNumber,
  worker: "alice" as WorkerName,
  job: "a1" as JobId,
  height: 1,
  difficulty: 1 as Difficulty,
  achieved: 2 as Difficulty,
  at: 0 as EpochMs,
  block: false,
});
const here = { moved: false };

type Call = { shares?: readonly Share[]; rejects?: readonly { worker: string; reason: string; count: number }[] };

/** A reporter that does what the test says; calls wait until it says so. */
function reporter(
  answer: (request: Call, count: number) => readonly ShareOutcome[] | Promise<readonly ShareOutcome[]>,
) {
  const calls: Call[] = [];
  const client = {
    call: async (_method: string, request: Call) => {
      calls.push(request);
      return { outcomes: await answer(request, calls.length) };
    },
  } as unknown as Client<ReporterContract>;
  const out = new OutShares(client, log, tally);
  ends.push(() => out.close());
  return { out, calls };
}
const recorded = (out: OutShares, it: Share, hashes: number, claimant: { readonly moved: boolean }) =>
  new Promise((settle) => out.record(it, hashes, claimant, settle));
const all =
  (outcome: ShareOutcome) =>
  ({ shares = [] }: Call) =>
    shares.map(() => outcome);

describe("shares", () => {
  test("what is judged in one tick is recorded in one call, in order", async () => {
    const { out, calls } = reporter(all("recorded"));
    await Promise.all([1, 2, 3].map((line) => recorded(out, share(line), 1, here)));
    expect(calls.map(({ shares }) => shares?.map(({ line }) => line))).toEqual([[1, 2, 3]]);
  });

  test("S1 a share waits, and is asked again, until a reporter has recorded it", async () => {
    const { out, calls } = reporter((request, count) => {
      if (count < 3) throw new WiringError(count === 1 ? "NO_INSTANCE" : "REMOTE", "away");
      return all("recorded")(request);
    });
    expect(await recorded(out, share(1), 1, here)).toBe("recorded");
    expect(calls).toHaveLength(3);
    expect(out.waiting).toBe(0);
  });

  test("a share whose line moved to another instance is not asked again", async () => {
    const { out } = reporter((_, count) => {
      if (count === 1) throw new WiringError("TIMEOUT", "slow");
      return [];
    });
    const claimant = { moved: false };
    const outcome = recorded(out, share(1), 1, claimant);
    claimant.moved = true;
    expect(await outcome).toBe("moved");
  });

  test("one malformed share does not keep the others from being recorded", async () => {
    const { out } = reporter((request) => {
      if (request.shares?.some(({ line }) => line === 2)) throw new WiringError("INVALID_REQUEST", "line 2");
      return all("recorded")(request);
    });
    const outcomes = await Promise.all([1, 2, 3].map((line) => recorded(out, share(line), 1, here)));
    expect(outcomes).toEqual(["recorded", "refused", "recorded"]);
  });

  test("shares of coins with different units travel in different calls", async () => {
    const { out, calls } = reporter(all("recorded"));
    await Promise.all([recorded(out, share(1), 1, here), recorded(out, share(2), 65_536, here)]);
    expect(calls).toHaveLength(2);
  });

  test("refused shares are counted by worker and reason, and sent together", async () => {
    const { out, calls } = reporter(() => []);
    for (let i = 0; i < 3; i++) out.reject("alice" as WorkerName, "stale");
    out.reject("bob" as WorkerName, "duplicate");
    await out.sendRejects();
    await out.sendRejects();
    expect(calls).toEqual([
      {
        rejects: [
          { worker: "alice", reason: "stale", count: 3 },
          { worker: "bob", reason: "duplicate", count: 1 },
        ],
      },
    ]);
  });

  test("invented worker names do not grow the counts without end", async () => {
    const { out, calls } = reporter(() => []);
    for (let i = 0; i < 10_000; i++) out.reject(`w${i}` as WorkerName, "stale");
    await out.sendRejects();
    expect(calls[0]?.rejects?.length).toBeLessThanOrEqual(4_096);
    expect(calls[0]?.rejects?.reduce((sum, { count }) => sum + count, 0)).toBe(10_000);
  });
});

describe("answers to edges", () => {
  const EDGE = "edge" as PeerId;
  const write = (handle: number, size = 1): Out => ({
    kind: "write",
    handle: handle as Handle,
    bytes: Buffer.alloc(size),
  });
  function setup(heldBytesMax?: number) {
    const sent: Out[][] = [];
    const lost: PeerId[] = [];
    const edge = { takes: true };
    const out = new OutLines({
      send: (_, outs) => edge.takes && sent.push(outs) > 0,
      onRetry: () => {},
      onLost: (peer) => void lost.push(peer),
      ...(heldBytesMax !== undefined && { heldBytesMax }),
    });
    ends.push(() => out.close());
    return {
      out,
      sent,
      lost,
      edge,
      handles: () => sent.flat().map((each) => (each.kind === "write" ? each.handle : 0)),
    };
  }

  test("all of a tick is one push, in order", async () => {
    const { out, sent, handles } = setup();
    for (const handle of [1, 2, 3]) out.say(EDGE, write(handle));
    out.say(EDGE, { kind: "broadcast", group: "jobs", bytes: Buffer.from("x") });
    await until("the push was sent", 1_000, () => sent.length > 0);
    expect(sent).toHaveLength(1);
    expect(handles()).toEqual([1, 2, 3, 0]);
  });

  test("plain answers to one connection that follow each other are one write, and nothing overtakes or joins across another", () => {
    const { out, sent } = setup();
    const answer = (handle: number, line: number, text: string): Out => ({
      kind: "write",
      handle: handle as Handle,
      bytes: Buffer.from(text),
      acknowledges: [line as LineNumber],
    });
    out.say(EDGE, answer(1, 1, "a"));
    out.say(EDGE, { kind: "write", handle: 1 as Handle, acknowledges: [2 as LineNumber] });
    out.say(EDGE, answer(1, 3, "b"));
    out.say(EDGE, { ...(answer(1, 4, "c") as Out & { kind: "write" }), state: Buffer.from("s") });
    out.say(EDGE, answer(1, 5, "d"));
    out.say(EDGE, { kind: "broadcast", group: "jobs", bytes: Buffer.from("x") });
    out.say(EDGE, answer(1, 6, "e"));
    out.say(EDGE, answer(2, 1, "f"));
    expect(out.empty).toBe(false);
    out.flush();
    expect(out.empty).toBe(true);
    const said = sent
      .flat()
      .map((it) => [Buffer.from(it.bytes ?? []).toString(), it.kind === "write" ? it.acknowledges : it.group]);
    expect(said).toEqual([
      ["ab", [1, 2, 3]],
      ["c", [4]],
      ["d", [5]],
      ["x", "jobs"],
      ["e", [6]],
      ["f", [1]],
    ]);
  });

  test("a push has a bound in pieces and in bytes", () => {
    const { out, sent, handles } = setup();
    for (let i = 1; i <= OUTS_PER_PUSH + 1; i++) out.say(EDGE, write(i));
    out.flush();
    expect(sent.map(({ length }) => length)).toEqual([OUTS_PER_PUSH, 1]);
    for (let i = 1; i <= 3; i++) out.say(EDGE, write(i, 600_000));
    out.flush();
    expect(sent.slice(2).map(({ length }) => length)).toEqual([1, 1, 1]);
    expect(handles().slice(-3)).toEqual([1, 2, 3]);
  });

  test("what an edge does not take at once is kept in order and taken later", async () => {
    const { out, edge, handles } = setup();
    edge.takes = false;
    out.say(EDGE, write(1));
    out.flush();
    out.say(EDGE, write(2));
    expect(out.empty).toBe(false);
    edge.takes = true;
    await until("both were sent", 1_000, () => handles().length === 2);
    expect(handles()).toEqual([1, 2]);
    expect(out.empty).toBe(true);
  });

  test("W3 an edge that takes nothing is given up at a bound, not fed for ever", async () => {
    const { out, edge, lost } = setup(10_000);
    edge.takes = false;
    out.say(EDGE, write(1, 6_000));
    out.flush();
    out.say(EDGE, write(2, 6_000));
    await until("the edge is given up", 1_000, () => lost.length > 0);
    expect(out.empty).toBe(true);
  });
});

describe("shared state", () => {
  const EDGE = "edge-peer" as PeerId;
  const SEAT = { id: "tcp/one" as ConnectionId, edge: EDGE, handle: 7 as Handle };
  const wanted = () => true;
  const session = (extranonce1: string) =>
    encodeSnapshot({
      ...{ agent: "", workers: [], versionMask: 0, minimum: 0, wish: 0 },
      mining: { extranonce1, difficulty: 1 as Difficulty, announced: undefined, told: undefined, silent: 0 },
    });

  function setup(changes: Partial<States> = {}) {
    const saved: Record<string, string>[] = [];
    const redis = { away: false };
    const states: States = {
      save: async (entries) => {
        if (redis.away) throw new Error("away");
        saved.push(
          Object.fromEntries(entries.map(({ connection, state }) => [connection, Buffer.from(state).toString()])),
        );
        return 0;
      },
      adopt: async () => undefined,
      touch: async () => [],
      release: async () => true,
      claim: async () => ({ kind: "unknown" }),
      ...changes,
    };
    let number = 41;
    const numbers = { next: async () => ++number };
    const isAlive = (edge: PeerId) => edge === EDGE;
    const state = new OutState({ states, numbers, isAlive, extranonce1Size: 4, log, tally });
    ends.push(() => {
      redis.away = false;
      return state.close();
    });
    return { state, saved, redis };
  }

  test("a tick's changes are one write, the newest of each connection", async () => {
    const { state, saved } = setup();
    state.save(SEAT, Buffer.from("1"));
    state.save({ ...SEAT, id: "tcp/two" as ConnectionId }, Buffer.from("2"));
    state.save(SEAT, Buffer.from("3"));
    await state.flush();
    expect(saved).toEqual([{ "tcp/one": "3", "tcp/two": "2" }]);
  });

  test("C3 with Redis away changes wait, newest first, and are written when it is back", async () => {
    const { state, saved, redis } = setup();
    redis.away = true;
    state.save(SEAT, Buffer.from("old"));
    await state.flush();
    state.save(SEAT, Buffer.from("new"));
    redis.away = false;
    await until("it was written", 2_000, () => saved.length > 0);
    expect(saved).toEqual([{ "tcp/one": "new" }]);
  });

  test("what belongs to another instance is not written any more", async () => {
    const { state, saved, redis } = setup();
    redis.away = true;
    state.save(SEAT, Buffer.from("old"));
    await state.flush();
    state.forget(SEAT);
    redis.away = false;
    await state.close();
    expect(saved).toEqual([]);
  });

  test("what came back to this instance meanwhile is not forgotten with its former ownership", async () => {
    const { state, saved, redis } = setup();
    redis.away = true;
    state.save({ ...SEAT, handle: 8 as Handle }, Buffer.from("new"));
    await state.flush();
    state.forget(SEAT); // Two edges' streams have no order between them.
    redis.away = false;
    await state.close();
    expect(saved).toEqual([{ "tcp/one": "new" }]);
  });

  test("C4 a client that is back before its old connection is known to be closed resumes once it is", async () => {
    let asked = 0;
    const { state } = setup({
      claim: async () =>
        ++asked < 4 ? { kind: "held", holder: EDGE } : { kind: "claimed", state: session("00000007") },
    });
    expect(await state.enlist(SEAT, "old", wanted)).toMatchObject({ extranonce1: "00000007" });
  });

  test("a session that a live connection goes on holding is left to it; what an edge held that is gone is free", async () => {
    const gone: (string | undefined)[] = [];
    const claims = (holder: string) =>
      setup({
        claim: async (_session, _by, free) => {
          gone.push(free);
          return free === holder ? { kind: "claimed", state: session("00000007") } : { kind: "held", holder };
        },
      }).state;
    expect(await claims(EDGE).enlist(SEAT, "old", wanted)).toEqual({ extranonce1: "0000002a" });
    expect(gone.every((holder) => holder === undefined)).toBe(true);
    expect(await claims("dead").enlist(SEAT, "old", wanted)).toMatchObject({ extranonce1: "00000007" });
  });

  test("extranonce1 has the operator's size; a session of another size begins anew", async () => {
    expect(await setup().state.enlist(SEAT, undefined, wanted)).toEqual({ extranonce1: "0000002a" });
    const { state } = setup({ claim: async () => ({ kind: "claimed", state: session("000000000001") }) });
    expect(await state.enlist(SEAT, "old", wanted)).toEqual({ extranonce1: "0000002a" });
    const fits = setup({ claim: async () => ({ kind: "claimed", state: session("00000001") }) });
    expect(await fits.state.enlist(SEAT, "old", wanted)).toMatchObject({ extranonce1: "00000001" });
  });

  test("with Redis away an adopted connection's session is asked for until Redis is back, or the client has gone", async () => {
    let asked = 0;
    const { state } = setup({
      adopt: async () => {
        if (++asked < 3) throw new Error("away");
        return session("00000007");
      },
    });
    expect((await state.adopt(SEAT, wanted))?.mining?.extranonce1).toBe("00000007");
    expect(await state.adopt(SEAT, () => false)).toBeUndefined();
  });
});

describe("jobs in", () => {
  const CLIENT = "client" as ConnectionId;

  function setup() {
    const told: string[] = [];
    const loads: string[] = [];
    const store = new Map<string, Uint8Array>();
    const away = { loads: 0 };
    const book = new JobBook();
    let listener: PushListener<Job> | undefined;
    let pulse = (): void => {};
    const instances = [SENIOR, JUNIOR].map((id) => ({ id }) as Instance);
    const [senior, junior] = instances as [Instance, Instance];
    let watch = (_: readonly Instance[]): void => {};
    const jobs = new InJobs({
      jobmanager: {
        subscribe: (push: string, given: unknown) => {
          if (push === "job") listener = given as PushListener<Job>;
          else
            pulse = () =>
              (given as PushListener<object>).onMessage({}, { instance: senior, sequence: 1, snapshot: false });
          return { close: () => {} };
        },
        watch: (given: (instances: readonly Instance[]) => void) => {
          watch = given;
          return () => {};
        },
      } as unknown as ConstructorParameters<typeof InJobs>[0]["jobmanager"],
      load: async (id) => {
        loads.push(id);
        if (away.loads-- > 0) throw new Error("redis is away");
        return store.get(id);
      },
      book,
      settings: { extranonce1Size: 4, extranonce2Size: 8 },
      onNotice: (offered) => void told.push(`${offered} ${book.current?.job.id}`),
      log,
      tally,
    });
    watch(instances);
    const say = (instance: Instance, job: Job) => listener?.onMessage(job, { instance, sequence: 1, snapshot: false });
    return {
      jobs,
      told,
      loads,
      store,
      away,
      senior,
      junior,
      say,
      pulse: () => pulse(),
      join: (i: Instance) => listener?.onJoin?.(i),
      leave: (i: Instance) => listener?.onLeave?.(i, "gone"),
    };
  }

  test("the senior is the oldest whose stream reaches us; when it goes the next one is", () => {
    const { told, senior, junior, say, join, leave } = setup();
    join(junior);
    say(junior, craftJob({ id: "b1" }));
    say(junior, craftJob({ id: "b2", clean: false }));
    join(senior);
    say(junior, craftJob({ id: "b3", clean: false }));
    say(senior, craftJob({ id: "a1", clean: false }));
    leave(senior);
    say(junior, craftJob({ id: "b4", clean: false }));
    expect(told).toEqual(["tip b1", "refresh b2", "refresh a1", "refresh b4"]);
  });

  test("a job that no work can be made of is refused, and is no sign of life of a daemon", () => {
    const { jobs, told, senior, say, join } = setup();
    join(senior);
    const before = jobs.freshAtMs;
    say(senior, craftJob({ id: "b1", bits: 0 }));
    expect(told).toEqual([]);
    expect(jobs.freshAtMs).toBe(before);
    say(senior, craftJob({ id: "b2" }));
    expect(told).toEqual(["tip b2"]);
    expect(jobs.freshAtMs).toBeGreaterThan(before);
  });

  test("a jobmanager of another coin or network moves no miner, whichever comes first", () => {
    const { told, senior, junior, say, join, leave } = setup();
    join(junior);
    say(junior, craftJob({ id: "b1", network: "test", height: 900 }));
    join(senior);
    say(senior, craftJob({ id: "a1", network: "main", height: 100, previousHash: Buffer.alloc(32, 8) }));
    expect(told).toEqual(["tip b1", "tip a1"]); // It was alone until the senior spoke.
    say(junior, craftJob({ id: "b2", network: "test", height: 901, previousHash: Buffer.alloc(32, 9) }));
    say(junior, craftJob({ id: "b3", coin: "othercoin", height: 902, previousHash: Buffer.alloc(32, 10) }));
    expect(told).toHaveLength(2);
    say(junior, craftJob({ id: "b4", height: 101, previousHash: Buffer.alloc(32, 11) })); // Of an earlier version: the same coin.
    expect(told.at(-1)).toBe("tip b4");
    leave(senior);
    say(junior, craftJob({ id: "b5", network: "test", height: 903, previousHash: Buffer.alloc(32, 12) }));
    expect(told.at(-1)).toBe("tip b5"); // Alone again, it says which chain is mined.
  });

  test("J2 what the next one has refreshed while the senior lived goes out when the senior is gone", () => {
    const { told, senior, junior, say, join, leave } = setup();
    const at = (seconds: number) => (1_700_000_000_000 + 1_000 * seconds) as EpochMs;
    for (const instance of [senior, junior]) join(instance);
    say(senior, craftJob({ id: "a1", templateAt: at(0) }));
    say(junior, craftJob({ id: "b1", templateAt: at(0) }));
    say(senior, craftJob({ id: "a2", clean: false, templateAt: at(20) }));
    say(junior, craftJob({ id: "b2", clean: false, templateAt: at(30) }));
    leave(senior);
    expect(told).toEqual(["tip a1", "refresh a2", "refresh b2"]);
  });

  test("an heir that has not seen the senior's last tip, or whose refresh is older, takes nobody back", () => {
    const { told, senior, junior, say, join, leave } = setup();
    for (const instance of [senior, junior]) join(instance);
    say(junior, craftJob({ id: "b1", clean: false, templateAt: 1_700_000_000_000 as EpochMs }));
    say(senior, craftJob({ id: "a1", clean: false, templateAt: 1_700_000_000_001 as EpochMs }));
    leave(senior);
    join(senior);
    say(senior, craftJob({ id: "a2", height: 1_001, previousHash: Buffer.alloc(32, 9) }));
    leave(senior);
    expect(told).toEqual(["tip b1", "refresh a1", "tip a2"]);
  });

  test("a tip that every jobmanager has left, the senior first, gives way to what they build on now", () => {
    const { told, senior, junior, say, join } = setup();
    for (const instance of [senior, junior]) join(instance);
    const old = Buffer.alloc(32, 5);
    for (const [instance, id] of [
      [senior, "a1"],
      [junior, "b1"],
    ] as const)
      say(instance, craftJob({ id, height: 100 }));
    const next = { height: 101, previousHash: Buffer.alloc(32, 9) };
    for (const [instance, id] of [
      [senior, "a2"],
      [junior, "b2"],
    ] as const)
      say(instance, craftJob({ id, ...next }));
    say(senior, craftJob({ id: "a3", height: 100, previousHash: old })); // The block was invalid.
    expect(told).toEqual(["tip a1", "tip a2"]); // The other one may be right.
    say(junior, craftJob({ id: "b3", height: 100, previousHash: old }));
    expect(told).toEqual(["tip a1", "tip a2", "tip a3"]);
  });

  test("C5 a pulse is a sign of life of some daemon", async () => {
    const { jobs, pulse } = setup();
    const before = jobs.freshAtMs;
    await new Promise((resolve) => setTimeout(resolve, 2));
    pulse();
    expect(jobs.freshAtMs).toBeGreaterThan(before);
  });

  test("a job whose extranonce sizes are not ours is refused: no share of it could be right", () => {
    const { told, senior, say, join } = setup();
    join(senior);
    say(senior, craftJob({ extranonce1Size: 8 }));
    expect(told).toEqual([]);
  });

  test("only a newer template is a sign of life", async () => {
    const { jobs, senior, say, join } = setup();
    join(senior);
    say(senior, craftJob({ id: "a1" }));
    const fresh = jobs.freshAtMs;
    await new Promise((resolve) => setTimeout(resolve, 2));
    say(senior, craftJob({ id: "a2", clean: false }));
    expect(jobs.freshAtMs).toBe(fresh);
    say(senior, craftJob({ id: "a3", clean: false, templateAt: 1_700_000_000_001 as EpochMs }));
    expect(jobs.freshAtMs).toBeGreaterThan(fresh);
  });

  test("an unknown job is looked up once at a time, and one that is not there not again for a while", async () => {
    const { jobs, loads, store } = setup();
    store.set("aa", pack({ job: { ...craftJob({ id: "aa" }) }, body: Buffer.from("rest") }));
    const found = await Promise.all([jobs.lookup("aa" as JobId, CLIENT), jobs.lookup("aa" as JobId, CLIENT)]);
    expect(found.map((known) => known?.job.id)).toEqual(["aa", "aa"]);
    for (let i = 0; i < 3; i++) expect(await jobs.lookup("bb" as JobId, CLIENT)).toBeUndefined();
    expect(loads).toEqual(["aa", "bb"]);
  });

  test("a client that invents job ids has one lookup at a time, and only so many: others' lookups run beside it", async () => {
    const { jobs, loads, store } = setup();
    store.set("aa", pack({ job: { ...craftJob({ id: "aa" }) }, body: Buffer.from("rest") }));
    const inventing = Array.from({ length: 40 }, (_, i) => jobs.lookup(`f${i.toString(16)}` as JobId, CLIENT));
    const other = jobs.lookup("aa" as JobId, "another" as ConnectionId);
    expect(loads).toEqual(["f0", "aa"]);
    expect((await other)?.job.id).toBe("aa");
    expect(await Promise.all(inventing)).toEqual(inventing.map(() => undefined));
    expect(loads).toHaveLength(16 + 1);
  });

  test("J1 a job of the past is looked up again while shared state is away for a moment, and given up before a second is over", async () => {
    const { jobs, store, loads, away } = setup();
    const known = craftJob({ id: "c1" });
    store.set("c1", pack({ job: known, body: Buffer.alloc(0) }));
    away.loads = 3;
    expect((await jobs.lookup(known.id, CLIENT))?.job.id).toBe("c1");
    expect(loads).toHaveLength(4);
    away.loads = 1_000;
    const begunMs = performance.now();
    expect(await jobs.lookup("c2" as JobId, CLIENT)).toBeUndefined();
    expect(performance.now() - begunMs).toBeLessThan(1_000);
    away.loads = 0;
    expect(await jobs.lookup("c2" as JobId, CLIENT)).toBeUndefined(); // Asked again: nobody had said that it is not there.
    expect(loads.at(-1)).toBe("c2");
  });

  test("J1 many unknown jobs at once, as after a restart: each is looked up in its turn, and none is refused unseen", async () => {
    const { jobs, loads, store } = setup();
    const ids = Array.from({ length: 24 }, (_, i) => `c${i.toString(16).padStart(3, "0")}` as JobId);
    for (const id of ids) store.set(id, pack({ job: { ...craftJob({ id }) }, body: Buffer.from("rest") }));
    const all = ids.map((id, i) => jobs.lookup(id, `tcp/${i}` as ConnectionId));
    expect(loads).toHaveLength(4);
    expect((await Promise.all(all)).map((known) => known?.job.id)).toEqual(ids);
    expect([...loads].sort()).toEqual([...ids].sort()); // Each once.
  });

  test("L3 many clients that invent ids cost work in proportion to their lines, and an honest one has its turn among them", async () => {
    const { jobs, store } = setup();
    store.set("aa", pack({ job: { ...craftJob({ id: "aa" }) }, body: Buffer.from("rest") }));
    const flood = async (clients: number, prefix: string) => {
      const before = process.cpuUsage();
      const all = Array.from({ length: clients * 32 }, (_, i) =>
        jobs.lookup(`${prefix}${i.toString(16)}` as JobId, `${prefix}/${i % clients}` as ConnectionId),
      );
      const honest = jobs.lookup("aa" as JobId, `honest/${prefix}` as ConnectionId);
      const last = all.at(-1)?.then(() => "the flood");
      expect(await Promise.race([honest.then(() => "the honest one"), last])).toBe("the honest one");
      expect(new Set(await Promise.all(all))).toEqual(new Set([undefined]));
      return process.cpuUsage(before).user;
    };
    await flood(50, "d"); // Warm.
    const [few, many] = [await flood(100, "e"), await flood(1_600, "f")];
    expect(many / few).toBeLessThan(16 * 6); // Not 16 times 16.
  }, 60_000);

  test("bytes in shared state that are no job are no job", async () => {
    const { jobs, store } = setup();
    store.set("aa", Buffer.from("rubbish"));
    store.set("ab", pack({ job: { ...craftJob({ id: "other" }), id: "cc" }, body: Buffer.alloc(0) }));
    expect(await jobs.lookup("aa" as JobId, CLIENT)).toBeUndefined();
    expect(await jobs.lookup("ab" as JobId, CLIENT)).toBeUndefined();
  });
});

describe("blocks", () => {
  test("S3 a block is offered until a jobmanager took it", async () => {
    let asked = 0;
    const client = {
      instances: () => [],
      call: async () => {
        if (++asked < 3) throw new WiringError("NO_INSTANCE", "none");
        return { status: "accepted", hash: "00".repeat(32), height: 1, verdicts: [] };
      },
    } as unknown as ConstructorParameters<typeof OutBlocks>[0];
    const blocks = new OutBlocks(client, log, tally, 1);
    const job = craftJob();
    blocks.submit(
      { job, header: Buffer.alloc(80), coinbase: Buffer.alloc(1) },
      "alice" as WorkerName,
      "tcp/one" as ConnectionId,
    );
    await blocks.idle();
    expect(asked).toBe(3);
    expect(tally.counters()["blocks.accepted"]).toBe(1);
  });

  test("S3 a block is offered to every jobmanager, and again, until one knows its job", async () => {
    const asked: (string | undefined)[] = [];
    const client = {
      instances: () => [{ id: "first" }, { id: "second" }],
      call: async (_method: string, _request: unknown, options?: { to?: string }) => {
        asked.push(options?.to);
        const known = asked.length > 4 && options?.to === "second";
        return { status: known ? "accepted" : "unknown_job", hash: "00".repeat(32), height: 1, verdicts: [] };
      },
    } as unknown as ConstructorParameters<typeof OutBlocks>[0];
    const blocks = new OutBlocks(client, log, tally, 1);
    const candidate = { job: craftJob(), header: Buffer.alloc(80), coinbase: Buffer.alloc(1) };
    blocks.submit(candidate, "alice" as WorkerName, "tcp/one" as ConnectionId);
    await blocks.idle();
    expect(asked).toEqual([undefined, "first", "second", undefined, "first", "second"]);
  });
});
