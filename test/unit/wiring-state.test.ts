// Shared state against a real Redis: what a backend leaves behind, another one finds; what is numbered is numbered once.

import { afterEach, beforeAll, describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import type { Redis } from "ioredis";
import {
  Allotment,
  type AllotmentOptions,
  type Claim,
  ConnectionStates,
  JobStore,
  STATE_BYTES_MAX,
} from "../../lib/wiring/index.js";
import { atEnd } from "../kit/cleanup.js";
import { type RedisServer, startRedis } from "../kit/redis.js";
import { until } from "../kit/until.js";

let server: RedisServer;
let redis: Redis;

beforeAll(async () => {
  server = await startRedis({ keep: "file" });
  redis = server.client();
});

afterEach(async () => {
  await redis.flushall();
});

const bytes = (...values: number[]) => Uint8Array.from(values);
const plain = (state: Uint8Array | undefined) => state && [...state];

describe("connection state", () => {
  const open = (options = {}) => new ConnectionStates(redis, "test", options);
  /** As a backend has it that got it first from an edge. */
  const tenure = (connection: string, turn = 1, holder = "edge-1") => ({ connection, holder, turn });
  const saved = (connection: string, state: Uint8Array, turn = 1, holder = "edge-1") => ({
    ...tenure(connection, turn, holder),
    state,
  });
  const claimed = (claim: Claim) => claim.kind === "claimed" && plain(claim.state);

  test("whatever bytes are saved are what the next owner gets, and of an unknown connection it gets nothing", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.uint8Array({ maxLength: 64 }), { maxLength: 20 }), async (states) => {
        expect(await open().save(states.map((state, i) => saved(`c${i}`, state)))).toBe(0);
        const loaded = await Promise.all(states.map((_, i) => open().adopt(tenure(`c${i}`, 2, "edge-2"))));
        expect(loaded.map(plain)).toEqual(states.map(plain));
        expect(await open().adopt(tenure("nobody"))).toBeUndefined();
        await redis.flushall();
      }),
      { numRuns: 20 },
    );
  });

  test("two thousand and one states are saved and touched in batches", async () => {
    const states = open();
    const entries = Array.from({ length: 2_001 }, (_, i) => saved(`c${i}`, bytes(i & 255, i >> 8)));
    await states.save(entries);
    expect(await states.touch(["x", ...entries.map(({ connection }) => connection), "y"])).toEqual(["x", "y"]);
    const loaded = await Promise.all(entries.map(({ connection }) => states.adopt(tenure(connection))));
    expect(loaded.map(plain)).toEqual(entries.map(({ state }) => plain(state)));
  });

  test("a state over the limit is refused by name and nothing is written", async () => {
    const entries = [saved("good", bytes(1)), saved("huge", new Uint8Array(STATE_BYTES_MAX + 1))];
    await expect(open().save(entries)).rejects.toThrow(/connection huge has 4097 bytes, allowed are 4096/);
    expect(await open().adopt(tenure("good"))).toBeUndefined();
  });

  test("a state expires unless touched, and a released one later or sooner by its own time", async () => {
    const states = open({ liveTtlMs: 60_000, resumeTtlMs: 120_000 });
    await states.save([saved("a", bytes(1))]);
    expect(await redis.pttl("hf:{test}:connection:a")).toBeGreaterThan(50_000);
    await redis.pexpire("hf:{test}:connection:a", 5_000);
    await states.touch(["a"]);
    expect(await redis.pttl("hf:{test}:connection:a")).toBeGreaterThan(50_000);
    expect(await states.release(tenure("a"))).toBe(true);
    expect(await redis.pttl("hf:{test}:connection:a")).toBeGreaterThan(110_000);
    expect(await states.release(tenure("never there"))).toBe(false);
    expect(await redis.exists("hf:{test}:connection:never there")).toBe(0);
    await states.claim("a", tenure("b", 1));
    expect(await redis.pttl("hf:{test}:connection:b")).toBeGreaterThan(50_000);
  });

  test("a live connection's state is held, a released one is claimed once, and again only by the same claimer", async () => {
    const states = open();
    expect(await states.claim("old", tenure("new"))).toEqual({ kind: "unknown" });
    await states.save([saved("old", bytes(0, 255, 10))]);
    expect(await states.claim("old", tenure("new"))).toEqual({ kind: "held", holder: "edge-1" });
    await states.release(tenure("old"));
    expect(claimed(await states.claim("old", tenure("new")))).toEqual([0, 255, 10]);
    expect((await states.claim("old", tenure("new", 2))).kind).toBe("claimed"); // Its line came to another backend, too.
    expect(await states.claim("old", tenure("other"))).toEqual({ kind: "held", holder: "edge-1" });
  });

  test("of many connections that claim one session at once exactly one gets it", async () => {
    const states = open();
    const rivals = Array.from({ length: 4 }, () => new ConnectionStates(server.client(), "test"));
    for (let round = 0; round < 20; round++) {
      await states.save([saved(`s${round}`, bytes(round))]);
      await states.release(tenure(`s${round}`));
      const claims = await Promise.all(
        Array.from({ length: 16 }, (_, i) => (rivals[i % 4] ?? states).claim(`s${round}`, tenure(`by-${round}-${i}`))),
      );
      expect(claims.filter(({ kind }) => kind === "claimed")).toHaveLength(1);
      expect(claims.filter(({ kind }) => kind === "held")).toHaveLength(15);
    }
  });

  test("a client that never heard of its new session comes again with the old one, and gets what the new one had", async () => {
    const states = open();
    await states.save([saved("a", bytes(1))]);
    await states.release(tenure("a"));
    await states.claim("a", tenure("b"));
    await states.save([saved("b", bytes(2))]);
    expect((await states.claim("a", tenure("c"))).kind).toBe("held"); // b lives.
    await states.release(tenure("b"));
    expect(claimed(await states.claim("a", tenure("c")))).toEqual([2]);
    for (const session of ["a", "b"]) expect((await states.claim(session, tenure("d"))).kind).toBe("held");
    await states.release(tenure("c"));
    expect(claimed(await states.claim("a", tenure("d")))).toEqual([2]);
    for (const session of ["a", "b", "c"]) expect((await states.claim(session, tenure("e"))).kind).toBe("held");
  });

  test("what a holder had that is known to be gone is free, but not what somebody else holds by now", async () => {
    const states = open();
    await states.save([saved("a", bytes(1)), saved("b", bytes(2))]);
    await states.adopt(tenure("b", 2, "edge-2"));
    expect(claimed(await states.claim("a", tenure("new-a", 1, "edge-3"), "edge-1"))).toEqual([1]);
    expect(await states.claim("b", tenure("new-b", 1, "edge-3"), "edge-1")).toEqual({ kind: "held", holder: "edge-2" });
    expect(await states.adopt(tenure("a", 2, "edge-2"))).toBeUndefined(); // The edge was not gone: its client must begin anew.
  });

  test("an owner of former days writes and releases nothing", async () => {
    const states = open();
    await states.save([saved("a", bytes(1), 5)]);
    expect(plain(await states.adopt(tenure("a", 2 ** 32 + 1, "edge-2")))).toEqual([1]);
    expect(await states.save([saved("a", bytes(9), 5), saved("b", bytes(2))])).toBe(1);
    expect(await states.release(tenure("a", 5))).toBe(false);
    expect((await states.claim("a", tenure("new"))).kind).toBe("held");
    expect(plain(await states.adopt(tenure("a", 2 ** 32 + 1, "edge-2")))).toEqual([1]);
    expect(await states.save([saved("a", bytes(3), 2 ** 32 + 1, "edge-2")])).toBe(0);
  });
});

describe("allotment", () => {
  const SETTLE_MS = 20;
  const open = async (client: Redis, name: string, options: AllotmentOptions = {}): Promise<Allotment> => {
    const allotment = await Allotment.open(client, "test", name, { settleMs: SETTLE_MS, ...options });
    atEnd(() => allotment.close());
    return allotment;
  };
  const take = async (holder: Allotment, count: number): Promise<number[]> => {
    const numbers: number[] = [];
    for (let i = 0; i < count; i++) numbers.push(await holder.next());
    return numbers;
  };
  /** Numbers that more than one list has. */
  const common = (...lists: number[][]) => lists.flat().length - new Set(lists.flat()).size;

  test("two live holders never have the same number, though Redis failed over to a replica that was behind", async () => {
    const master = await startRedis({ args: ["--repl-diskless-sync-delay", "0"] });
    const replica = await startRedis();
    const toReplica = replica.client();
    await toReplica.call("REPLICAOF", "127.0.0.1", `${master.port}`);
    const holder = await open(master.client(), "behind");
    await until(
      "the replica has the counter",
      10_000,
      async () => (await toReplica.exists("hf:{test}:allotment:behind")) === 1,
    );
    await toReplica.call("REPLICAOF", "NO", "ONE"); // From here on it is behind.
    const before = await take(holder, 5_000);
    await master.stop();
    // Two that begin at the same moment, before the holder has come over.
    const late = await Promise.all([open(replica.client(), "behind"), open(replica.client(), "behind")]);
    expect(common(before, ...(await Promise.all(late.map((it) => take(it, 3_000)))))).toBe(0);
  });

  test("two live holders never have the same number, though Redis restarted from an old snapshot, or empty", async () => {
    const server = await startRedis();
    const first = await open(server.client(), "old");
    await server.client().call("SAVE");
    const before = await take(first, 3_000);
    await server.stop();
    await server.start();
    const second = await open(server.client(), "old");
    const between = await Promise.all([take(first, 3_000), take(second, 3_000)]);
    await server.stop();
    await server.forget();
    await server.start();
    // One that knows no counter waits for those that do.
    const third = await open(server.client(), "old", { settleMs: 2_000 });
    const after = await Promise.all([first, second, third].map((it) => take(it, 3_000)));
    expect(common(before, ...between, ...after)).toBe(0);
    const places = [...between, ...after].map(([number = 0]) => number);
    expect(Math.max(...places) - Math.min(...places)).toBeLessThan(2 ** 27); // Not by chance: one counter goes on.
  });

  test("a counter that went back is lifted by those who know better, without their needing numbers", async () => {
    const holder = await open(redis, "lifted");
    const start = Number(await redis.hget("hf:{test}:allotment:lifted", "next"));
    await redis.hset("hf:{test}:allotment:lifted", "next", Math.max(0, start - 100_000));
    await until(
      "it is lifted",
      3_000,
      async () => Number(await redis.hget("hf:{test}:allotment:lifted", "next")) > start,
    );
    expect(await holder.next()).toBeLessThan(2 ** 32);
  });

  test("four holders that ask at once never get the same number", async () => {
    const holders = await Promise.all(
      Array.from({ length: 4 }, () => open(server.client(), "extranonce1", { blockSize: 64 })),
    );
    const numbers = await Promise.all(Array.from({ length: 8_000 }, (_, i) => (holders[i % 4] ?? holders[0])?.next()));
    expect(new Set(numbers).size).toBe(8_000);
    expect(numbers.every((number) => number !== undefined && number >= 0 && number < 2 ** 32)).toBe(true);
  });

  test("numbers wrap at the limit: each is handed out once a turn", async () => {
    const holders = [
      await open(redis, "small", { blockSize: 8, limit: 96 }),
      await open(redis, "small", { blockSize: 8, limit: 96 }),
    ];
    const seen = new Map<number, number>();
    for (let i = 0; i < 96 * 3; i++) {
      // A block at a time each, so that nothing stays in hand at the end of a turn.
      const number = (await holders[Math.floor(i / 8) % 2]?.next()) ?? -1;
      seen.set(number, (seen.get(number) ?? 0) + 1);
    }
    expect([...seen.keys()].sort((a, b) => a - b)).toEqual(Array.from({ length: 96 }, (_, i) => i));
    // The blocks fetched ahead shift a turn's end by at most one block for each holder.
    for (const count of seen.values()) expect(Math.abs(count - 3)).toBeLessThanOrEqual(1);
  });

  test("an odd limit still gives every number below it and none above", async () => {
    const holder = await open(redis, "odd", { blockSize: 10, limit: 63 });
    const numbers = new Set<number>();
    for (let i = 0; i < 63; i++) numbers.add(await holder.next());
    expect([...numbers].sort((a, b) => a - b)).toEqual(Array.from({ length: 63 }, (_, i) => i));
  });

  test("a number given back is the next one handed out", async () => {
    const holder = await open(redis, "back");
    const number = await holder.next();
    holder.release(number);
    expect(await holder.next()).toBe(number);
  });

  test("numbers in hand last while Redis is away, then the failure is said, and it goes on when Redis is back", async () => {
    const own = await startRedis();
    const holder = await open(await own.asking(), "away", { blockSize: 16 });
    const seen = new Set([await holder.next()]);
    await own.stop();
    const failure = async () => {
      for (;;) seen.add(await holder.next());
    };
    await expect(failure()).rejects.toThrow(/state\/allot/);
    expect(seen.size).toBeGreaterThanOrEqual(16);
    await own.start();
    const size = seen.size;
    await until("numbers come again", 5_000, async () => seen.add(await holder.next()));
    expect(seen.size).toBe(size + 1);
  });
});

describe("job store", () => {
  test("a job is loaded as it was saved until its time is up", async () => {
    const store = new JobStore(redis, "test");
    const bytes = Uint8Array.from({ length: 300_000 }, (_, i) => i & 255);
    await store.save("1a", bytes, 60_000);
    expect(Buffer.from((await store.load("1a")) ?? []).equals(bytes)).toBe(true);
    await store.save("1b", bytes, 30);
    await until("it has expired", 1_000, async () => (await store.load("1b")) === undefined);
    expect(await store.load("never")).toBeUndefined();
  });
});
