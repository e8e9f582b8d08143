// C5, J1, J2: where work comes from may die, lie, disagree or vanish; miners hear the newest, once, and leave only when there is none.

import { expect, test } from "@jest/globals";
import { z } from "zod";
import type { Work } from "../../demo/miner/client.js";
import { mine } from "../../demo/regtest.js";
import { stratum } from "../../lib/contracts/index.js";
import { Crowd, tooLong } from "../kit/crowd.js";
import { startDaemonStandIn } from "../kit/daemon-stand-in.js";
import { easyShares, hardChain } from "../kit/easy-chain.js";
import { kill } from "../kit/killing.js";
import { type Litecoind, startLitecoindPair } from "../kit/litecoind.js";
import { Miner, startPool, type TestPool } from "../kit/pool.js";
import { startRedis } from "../kit/redis.js";
import { until } from "../kit/until.js";

const TEST_MS = 120_000;

/** Counters of all stratum instances together. */
async function counted(pool: TestPool, name: string): Promise<number> {
  const client = pool.house.nexus.client(stratum);
  await client.ready(5_000, 2);
  const all = await Promise.all(client.instances().map(({ id }) => client.call("status", {}, { to: id })));
  await client.close();
  return all.reduce((sum, { counters }) => sum + (counters[name] ?? 0), 0);
}

const show = (what: string, figures: unknown): void => {
  if (process.env.FIGURES) process.stderr.write(`${what}: ${JSON.stringify(figures)}\n`);
};

test(
  "C5 miners stay while any coin daemon answers, are let go slowly when none has for noWorkDisconnectMs, and stay and mine at once when one is back",
  async () => {
    const [redis, daemon] = [await startRedis(), await startDaemonStandIn(hardChain())];
    const rules = { noWorkDisconnectMs: 5_000, noWorkClosesPerSecond: 3 };
    const settings = { ...easyShares(rules), jobmanager: { pollMs: 200 } };
    const pool = await startPool({ redis, daemons: [daemon], settings });
    const miners = await Promise.all(Array.from({ length: 30 }, (_, i) => Miner.start(pool, `w${i}.rig`)));
    const closedAtMs: number[] = [];
    const said: string[] = [];
    for (const { client } of miners) {
      client.on("line", (line) => void (line.includes("show_message") && said.push(line)));
      client.on("close", () => void closedAtMs.push(performance.now()));
    }
    // A daemon without news is no daemon without work: the next refresh is half a minute away.
    await new Promise((resolve) => setTimeout(resolve, 7_000));
    expect(closedAtMs).toEqual([]);
    daemon.say(() => ({ status: 503, raw: "warming up" }));
    const goneAtMs = performance.now();
    await until("ten were let go", 20_000, () => closedAtMs.length >= 10);
    daemon.say(hardChain({ previousblockhash: "33".repeat(32), height: 3 }));
    const [first = 0, tenth = 0] = [closedAtMs[0], closedAtMs[9]];
    show("C5", { firstMs: first - goneAtMs, tenInMs: tenth - first });
    expect(first - goneAtMs).toBeGreaterThanOrEqual(rules.noWorkDisconnectMs - 1_500); // Its last answer was some moments before.
    expect(tenth - first).toBeGreaterThan(1_000); // Two instances, three a second each.
    expect(said.length).toBeGreaterThanOrEqual(10);
    const staying = miners.filter(({ client }) => !client.closed);
    const tipIs = (work: Work | undefined) => work?.previousHash === "33".repeat(32);
    // At every instance: each hears of it by itself.
    const there = () => staying.filter(({ client }) => !client.closed);
    await until(
      "there is work again",
      40_000,
      () => there().length > 0 && there().every(({ client }) => tipIs(client.work)),
    );
    const closed = closedAtMs.length;
    const back = await Promise.all(miners.slice(0, closed).map((_, i) => Miner.start(pool, `back${i}.rig`)));
    const still = miners.filter(({ client }) => !client.closed);
    for (const miner of [...still, ...back]) expect(await miner.mine()).toBe(true);
    expect(closedAtMs).toHaveLength(closed);
  },
  TEST_MS,
);

const tipOf = ({ rpc }: Litecoind) => rpc.call("getbestblockhash", [], z.string());
/** As `mining.notify` has it: the display hash with its eight words reversed. */
const onWire = (hash: string) => (hash.match(/.{8}/g) ?? []).reverse().join("");

/** Every job that a miner is told. */
function listen(miner: Miner): Work[] {
  const works: Work[] = [];
  miner.client.on("work", (work) => void works.push(work));
  return works;
}

const worksOn = async (works: readonly Work[], what: string, hash: string): Promise<void> => {
  await until(`miners work on ${what}`, 10_000, () => works.at(-1)?.previousHash === onWire(hash));
};

test(
  "J1 each new tip is told once, by whichever jobmanager sees it first; a block that is taken back is, too",
  async () => {
    const [redis, pair] = await Promise.all([startRedis(), startLitecoindPair({ mweb: false })]);
    const { a, b, payoutAddress } = pair;
    const pool = await startPool({ redis, daemons: [a, b], payoutAddress });
    const miner = await Miner.start(pool, "tips.rig");
    const works = listen(miner);
    for (let i = 0; i < 5; i++) {
      const [hash = ""] = await mine(i % 2 ? a.rpc : b.rpc, payoutAddress, 1);
      await worksOn(works, "the new tip", hash);
      await until("both nodes have it", 10_000, async () => (await tipOf(a)) === (await tipOf(b)));
    }
    const clean = works.filter((work) => work.clean).map(({ previousHash }) => previousHash);
    expect(clean).toHaveLength(5);
    expect(new Set(clean).size).toBe(5);
    expect(await counted(pool, "jobs.dropped")).toBeGreaterThan(0); // The other jobmanager's copies.

    // A block that both take back: the tip before it is the tip again, although it is lower.
    const before = await tipOf(a);
    const [wrong = ""] = await mine(a.rpc, payoutAddress, 1);
    await worksOn(works, "the next tip", wrong);
    await until("both nodes have it", 10_000, async () => (await tipOf(b)) === wrong);
    for (const { rpc } of [a, b]) await rpc.call("invalidateblock", [wrong], z.null());
    await worksOn(works, "the tip before", before);
    expect(await miner.mine()).toBe(true);
    expect(miner.client.closed).toBe(false);
  },
  TEST_MS,
);

test(
  "J1 daemons on chains of their own: the longer chain's tip wins, at once and only once, also when the other one comes over to it",
  async () => {
    // Four nodes: one without any peer gives no templates.
    const [redis, here, there] = await Promise.all([
      startRedis(),
      startLitecoindPair({ mweb: false }),
      startLitecoindPair({ mweb: false }),
    ]);
    const { payoutAddress } = here;
    const pool = await startPool({ redis, daemons: [here.a, there.a], payoutAddress });
    const miner = await Miner.start(pool, "forks.rig");
    const works = listen(miner);
    const [one = ""] = await mine(here.a.rpc, payoutAddress, 1);
    await worksOn(works, "the one chain", one);
    const theirs = await mine(there.a.rpc, payoutAddress, 3);
    await worksOn(works, "the other chain, which is longer", theirs.at(-1) ?? "");
    const [lost = ""] = await mine(here.a.rpc, payoutAddress, 1); // Still the shorter one.
    const address = `127.0.0.1:${there.a.place.p2pPort}`;
    await here.a.rpc.call("addnode", [address, "onetry"], z.null());
    await until("the one has come over to it", 30_000, async () => (await tipOf(here.a)) === (await tipOf(there.a)));
    expect(await miner.mine()).toBe(true);
    const found = await until("the block that was found is everybody's tip", 10_000, async () => {
      const [mineTip, theirTip] = [await tipOf(here.b), await tipOf(there.b)];
      return mineTip === theirTip && mineTip !== theirs.at(-1) && mineTip;
    });
    await worksOn(works, "it", found);
    const told = works.map(({ previousHash }) => previousHash);
    expect(told).not.toContain(onWire(lost));
    expect(told.filter((hash, i) => hash !== told[i - 1])).toEqual([...new Set(told)]); // Nobody was taken back.
    expect([miner.client.closed, miner.refused]).toEqual([false, []]);
  },
  TEST_MS,
);

test(
  "J2 the senior jobmanager is killed, a daemon comes and goes, dies, and gives no templates: miners mine on, on the same tip",
  async () => {
    const [redis, pair] = await Promise.all([startRedis(), startLitecoindPair({ mweb: false })]);
    const stuck = await startDaemonStandIn(hardChain());
    stuck.say((method) => (method === "getblocktemplate" ? "silence" : hardChain()(method, [])));
    const { a, b, payoutAddress } = pair;
    const daemons = [a, b, stuck];
    const pool = await startPool({ redis, daemons, payoutAddress, settings: { jobmanager: { pulseMs: 500 } } });
    const miner = await Miner.start(pool, "calm.rig");
    const works = listen(miner);
    const tip = await tipOf(b);
    const killed = [await kill(pool, "jobmanager", "SIGKILL")];
    for (let flap = 0; flap < 3; flap++) {
      await a.kill();
      a.launch();
      await until("it answers again", 20_000, () => a.rpc.call("getblockcount", [], z.number()));
    }
    await a.kill();
    await b.rpc.call("getbestblockhash", [], z.string());
    expect(killed).toHaveLength(1);
    expect(works.filter(({ clean }) => clean)).toEqual([]);
    expect(works.every(({ previousHash }) => previousHash === onWire(tip))).toBe(true);
    expect(await miner.mine()).toBe(true);
    await until("B has the block", 10_000, async () => (await tipOf(b)) !== tip);
    await worksOn(works, "it", await tipOf(b));
    expect(miner.client.closed).toBe(false);
  },
  TEST_MS,
);

test(
  "J2 the senior jobmanager is killed just before its refresh: new work within a tip comes as often as ever",
  async () => {
    const [redis, daemon] = [await startRedis(), await startDaemonStandIn(hardChain())];
    const REFRESH_MS = 10_000;
    const settings = { ...easyShares(), jobmanager: { refreshMs: REFRESH_MS } };
    const pool = await startPool({ redis, daemons: [daemon], settings });
    const crowd = await Crowd.start(pool, 4, 500);
    // Just before the senior's refresh is due, its heir's has been dropped for as long.
    const waits = await crowd.during(async () => {
      await new Promise((resolve) => setTimeout(resolve, REFRESH_MS - 2_000));
      await kill(pool, "jobmanager", "SIGKILL");
      await until("new work has come", REFRESH_MS + 10_000, () => crowd.rigs.every(({ jobs }) => jobs.length > 0));
    });
    show("J2", waits);
    expect(waits.jobGapMs).toBeLessThan(REFRESH_MS + 5_000 + waits.machineMs);
    expect(tooLong([waits], 1_000)).toEqual([]);
    expect([crowd.closed, crowd.refused]).toEqual([0, []]);
  },
  TEST_MS,
);
