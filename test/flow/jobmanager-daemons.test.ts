// jobmanager and its daemons: new tips, failover, and daemons that are not what they should be.

import { beforeAll, describe, expect, test } from "@jest/globals";
import { Publisher } from "zeromq";
import { z } from "zod";
import { mine } from "../../demo/regtest.js";
import { chain, type DaemonStatus, type Job } from "../../lib/contracts/index.js";
import { atEnd } from "../kit/cleanup.js";
import { type Answers, fromTable, plainAnswers, type Said, startDaemonStandIn } from "../kit/daemon-stand-in.js";
import { at, jobWhere, type Seat, startJobmanager } from "../kit/jobmanager.js";
import { Litecoind, type LitecoindPair, startLitecoindPair } from "../kit/litecoind.js";
import { freePort } from "../kit/ports.js";
import { type RedisServer, startRedis } from "../kit/redis.js";
import { until } from "../kit/until.js";

let redis: RedisServer;
beforeAll(async () => {
  redis = await startRedis({ keep: "file" });
});

describe("with real daemons", () => {
  let pair: LitecoindPair;
  beforeAll(async () => {
    pair = await startLitecoindPair({ mweb: false, keep: "file" });
  }, 60_000);

  test("a block that another node mined is work for all within a second, by long poll", async () => {
    const seat = await startJobmanager(redis, { daemons: [at(pair.a)], pulseMs: 60_000 });
    for (let i = 0; i < 3; i++) {
      const [hash = ""] = await mine(pair.b.rpc, pair.payoutAddress, 1);
      await until("its job came", 1_000, () => seat.jobs.some((job) => job.clean && tipOf(job) === hash));
    }
    expect(await statusOf(seat)).toMatchObject({ state: "live", tipSource: "longpoll" });
  });

  test("J1 only the senior jobmanager holds a long poll at a daemon; the next one takes over, and misses no tip meanwhile", async () => {
    let polls = 0;
    const withPoll = (tip: string): Answers => {
      const table = withTip(tip);
      const template = { ...(table.getblocktemplate as object), longpollid: tip };
      return (method, [more]) => {
        const isPoll = method === "getblocktemplate" && "longpollid" in (more as object);
        if (isPoll) polls++;
        return isPoll ? "silence" : fromTable({ ...table, getblocktemplate: template })(method, []);
      };
    };
    const stand = await startDaemonStandIn(withPoll("44"));
    const settings = { daemons: [standIn(stand.url)], pulseMs: 60_000 };
    const senior = await startJobmanager(redis, settings);
    await until("the senior polls", 5_000, () => polls === 1);
    const junior = await startJobmanager(redis, settings);
    await jobWhere(junior, "at all", () => true);
    expect(await statusOf(junior)).toMatchObject({ state: "live", tipSource: "poll" });
    stand.say(withPoll("55"));
    await jobWhere(junior, "for the new tip", (job) => tipOf(job) === "55".repeat(32)); // The long poll says nothing.
    expect(polls).toBe(1);
    await senior.close();
    await until("the next one polls", 5_000, () => polls === 2);
    expect(await statusOf(junior)).toMatchObject({ tipSource: "longpoll" });
  });

  test("a notify command's word makes it look at once", async () => {
    const stand = await startDaemonStandIn(fromTable(plainAnswers));
    const seat = await startJobmanager(redis, { daemons: [standIn(stand.url)], pollMs: 60_000 });
    await jobWhere(seat, "at all", () => true);
    stand.say(fromTable(withTip("33")));
    await seat.client.call("tipChanged", { hash: "33".repeat(32) }, { to: seat.self() });
    await jobWhere(seat, "for the new tip", (job) => tipOf(job) === "33".repeat(32));
  });

  test("a daemon with new credentials after a restart is live again by itself", async () => {
    const seat = await startJobmanager(redis, { daemons: [at(pair.a)] });
    await pair.a.kill();
    await until("it is seen to be down", 2_000, async () => (await statusOf(seat))?.state === "down");
    pair.a.launch();
    await until("it is live again", 15_000, async () => (await statusOf(seat))?.state === "live");
    await pair.a.rpc.call("loadwallet", ["pool"], z.unknown());
  });

  test("a daemon that says that our password is wrong is refused with that reason, and the next one gives work", async () => {
    const wrong = { name: "locked", url: pair.a.url, user: "pool", password: "guess", timeoutMs: 5_000 };
    const seat = await startJobmanager(redis, { daemons: [wrong, at(pair.a, "open")] });
    await jobWhere(seat, "at all", () => true);
    const refused = await until("it is refused", 5_000, async () => (await statusesOf(seat)).find(isRefused));
    expect(refused.name).toBe("locked");
    expect(refused.reason).toMatch(/refuses our credentials: check user and password/);
  });

  test("a daemon of another chain is refused with its reason, and the next one gives work", async () => {
    const other = await Litecoind.start({ args: ["-regtest=0", "-testnet"] });
    atEnd(() => other.close());
    const seat = await startJobmanager(redis, { daemons: [at(other, "other"), at(pair.a, "ours")] });
    await jobWhere(seat, "at all", () => true);
    // Until it has written its cookie, it is refused for that.
    const reason = /on chain test, this pool mines litecoin regtest/;
    await until("it is refused", 20_000, async () =>
      (await statusesOf(seat)).some((it) => reason.test(it.reason ?? "")),
    );
    expect(seat.jobs.every(({ height }) => height > 1)).toBe(true);
  });
});

test("work goes on from the next daemon when the one in use is killed, without a new tip for miners", async () => {
  const pair = await startLitecoindPair({ mweb: false });
  // A node without any peer gives no templates, so there is a third one.
  const third = await Litecoind.start({ connectTo: pair.b.place.p2pPort });
  atEnd(() => third.close());
  const seat = await startJobmanager(redis, { daemons: [at(pair.a, "a"), at(pair.b, "b")], refreshMs: 500 });
  await until("both are live", 10_000, async () => (await statusesOf(seat)).every(({ state }) => state === "live"));
  await pair.a.kill();
  const before = seat.jobs.length;
  await until("two refreshes came", 5_000, () => seat.jobs.length >= before + 2);
  expect(seat.jobs.slice(before).some(({ clean }) => clean)).toBe(false);
  const [hash = ""] = await mine(third.rpc, pair.payoutAddress, 1);
  await jobWhere(seat, "for the new tip", (job) => job.clean && tipOf(job) === hash);
  expect((await statusesOf(seat)).map(({ state }) => state)).toEqual(["down", "live"]);
}, 60_000);

describe("with stand-ins for daemons", () => {
  const template = plainAnswers.getblocktemplate as object;
  const withTemplate = (more: object): Answers =>
    fromTable({ ...plainAnswers, getblocktemplate: { ...template, ...more } });
  const only =
    (method: string, said: Said): Answers =>
    (asked, params) =>
      asked === method ? said : fromTable(plainAnswers)(asked, params);

  const wrong: readonly [what: string, answers: Answers, reason: RegExp][] = [
    ["is no JSON-RPC server", () => ({ status: 200, raw: "<html>hello</html>" }), /not JSON-RPC: HTTP 200, "<html>/],
    ["is another coin's", only("getblockhash", { result: "00".repeat(32) }), /another coin's daemon/],
    ["gives a template without a height", withTemplate({ height: undefined }), /template is malformed: height/],
    [
      "gives transactions that are no hex",
      withTemplate({ transactions: [{ data: "xyz".repeat(9), txid: "00".repeat(32) }] }),
      /transactions\.0\.data/,
    ],
    ["contradicts itself", withTemplate({ bits: "1d00ffff" }), /bits 1d00ffff and its target .* disagree/],
    ["demands an unknown rule", withTemplate({ rules: ["!signet"] }), /demands the rule signet/],
    [
      "is still syncing",
      only("getblocktemplate", { error: { code: -10, message: "Litecoin Core is in initial sync" } }),
      /error -10: .*initial sync/,
    ],
    ["takes too long", only("getblocktemplate", "silence"), /too slow: no answer to getblocktemplate within 200 ms/],
  ];
  test.each(wrong)(
    "a daemon that %s is refused with its reason, and the next one gives work",
    async (_, answers, reason) => {
      const bad = await startDaemonStandIn(answers);
      const good = await startDaemonStandIn(fromTable(plainAnswers));
      const daemons = [{ ...standIn(bad.url, "bad"), timeoutMs: 200 }, standIn(good.url, "good")];
      const seat = await startJobmanager(redis, { daemons });
      await jobWhere(seat, "at all", () => true);
      const refused = await until("it is refused", 3_000, async () => (await statusesOf(seat)).find(isRefused));
      expect(refused.name).toBe("bad");
      expect(refused.reason).toMatch(reason);
    },
  );

  test("a daemon that turns bad is refused, and live again when it has come to its senses", async () => {
    const stand = await startDaemonStandIn(fromTable(plainAnswers));
    const seat = await startJobmanager(redis, { daemons: [standIn(stand.url)] });
    stand.say(() => ({ status: 200, raw: "?" }));
    await until("it is refused", 3_000, async () => isRefused(await statusOf(seat)));
    stand.say(fromTable(withTip("44")));
    await jobWhere(seat, "again", (job) => tipOf(job) === "44".repeat(32));
    expect(await statusOf(seat)).not.toHaveProperty("reason");
  });

  test("without long poll, polling finds a new tip", async () => {
    const stand = await startDaemonStandIn(fromTable(plainAnswers));
    const seat = await startJobmanager(redis, { daemons: [standIn(stand.url)], pollMs: 50 });
    stand.say(fromTable(withTip("55")));
    await jobWhere(seat, "for the new tip", (job) => job.clean && tipOf(job) === "55".repeat(32));
    expect(await statusOf(seat)).toMatchObject({ tipSource: "poll" });
  });

  test("a daemon's hashblock message brings the new tip at once", async () => {
    const stand = await startDaemonStandIn(fromTable(plainAnswers));
    const publisher = new Publisher({ linger: 0 });
    atEnd(() => publisher.close());
    const zmqHashblock = `tcp://127.0.0.1:${await freePort()}`;
    await publisher.bind(zmqHashblock);
    const seat = await startJobmanager(redis, {
      daemons: [{ ...standIn(stand.url), zmqHashblock }],
      pollMs: 60_000,
      pulseMs: 60_000,
    });
    await until("it listens", 3_000, async () => (await statusOf(seat))?.tipSource === "zmq");
    stand.say(fromTable(withTip("66")));
    await until("its job came", 3_000, async () => {
      await publisher.send(["hashblock", Buffer.alloc(32, 0x66), Buffer.alloc(4)]); // A subscription takes a moment to arrive.
      return seat.jobs.some((job) => tipOf(job) === "66".repeat(32));
    });
  });

  test("within a tip there is new work every refreshMs, never twice under one id and never with clean", async () => {
    const stand = await startDaemonStandIn(fromTable(plainAnswers));
    const seat = await startJobmanager(redis, { daemons: [standIn(stand.url)], refreshMs: 50 });
    await until("some came", 5_000, () => seat.jobs.length >= 5);
    expect(seat.jobs.map(({ clean }) => clean)).toEqual([true, ...seat.jobs.slice(1).map(() => false)]);
    expect(new Set(seat.jobs.map(({ id }) => id)).size).toBe(seat.jobs.length);
    // No two jobs give the same coinbase, so no two shares can be the same by accident.
    expect(new Set(seat.jobs.map(({ coinbase1 }) => Buffer.from(coinbase1).toString("hex"))).size).toBe(
      seat.jobs.length,
    );
  });

  test("without any daemon it opens all the same, says why, and has work as soon as one comes up", async () => {
    const stand = await startDaemonStandIn(() => ({ status: 401, raw: "" }));
    const seat = await startJobmanager(redis, { daemons: [standIn(stand.url)] });
    expect(seat.client.instances().map(({ state }) => state)).toEqual(["starting"]);
    stand.say(fromTable(plainAnswers));
    await jobWhere(seat, "at last", () => true);
    await seat.client.ready(1_000);
  });
});

const standIn = (url: string, name = "stand-in") => ({ name, url, user: "u", password: "p", timeoutMs: 2_000 });

const withTip = (byte: string): Readonly<Record<string, unknown>> => ({
  ...plainAnswers,
  getbestblockhash: byte.repeat(32),
  getblocktemplate: { ...(plainAnswers.getblocktemplate as object), previousblockhash: byte.repeat(32), height: 3 },
});

const tipOf = (job: Job): string => chain.displayHash(job.previousHash);

const statusesOf = async (seat: Seat): Promise<DaemonStatus[]> =>
  (await seat.client.call("status", {}, { to: seat.self() })).daemons;
const statusOf = async (seat: Seat): Promise<DaemonStatus | undefined> => (await statusesOf(seat))[0];
const isRefused = (status: DaemonStatus | undefined): boolean => status?.state === "refused";
