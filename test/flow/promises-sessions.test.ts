// C4: a miner whose connection did break comes back with its session id and goes on as if nothing had happened.

import { readFileSync } from "node:fs";
import { beforeAll, expect, test } from "@jest/globals";
import { StratumClient, type Subscription, type Work } from "../../demo/miner/client.js";
import { nextShare } from "../../demo/miner/grind.js";
import { atEnd } from "../kit/cleanup.js";
import { easyShares, startEasyPool } from "../kit/easy-chain.js";
import { kill } from "../kit/killing.js";
import type { TestPool } from "../kit/pool.js";
import { expectAllOnce } from "../kit/share-log.js";
import { until } from "../kit/until.js";

const TEST_MS = 120_000;
const AGENT = "test-miner/1";

let pool: TestPool;
beforeAll(async () => {
  pool = await startEasyPool(easyShares(), "file");
}, TEST_MS);

/** A miner that survives its connections. */
class Returner {
  client: StratumClient | undefined;
  session: Subscription | undefined;
  /** Told after the last subscribe. */
  difficulty: number | undefined;
  accepted = 0;
  #nonce = 0;

  constructor(
    readonly worker: string,
    readonly wish: number,
  ) {}

  /** The milliseconds from the first attempt to the answer of subscribe. */
  async come(): Promise<number> {
    const begunMs = performance.now();
    const client = await until("the pool takes it in", 20_000, () => this.#arrive());
    const ms = performance.now() - begunMs;
    await until("its work has come", 5_000, () => client.work);
    return ms;
  }

  /** A connection may be taken and closed again while nobody stands behind the door. */
  async #arrive(): Promise<StratumClient> {
    const client = await StratumClient.connect({ host: "127.0.0.1", port: pool.port });
    atEnd(() => client.close());
    this.difficulty = undefined;
    client.on("difficulty", (told) => {
      this.difficulty = told;
    });
    this.session = await client.subscribe(AGENT, this.session?.sessionId);
    this.client = client;
    return client;
  }

  /** A wish of its own, as a password, at its first visit only. */
  authorize(first = false): Promise<boolean> | undefined {
    return this.client?.authorize(this.worker, first ? `d=${this.wish}` : "x");
  }

  find(work: Work | undefined = this.client?.work) {
    if (!work || !this.session) throw new Error("no work");
    const { extranonce1, extranonce2Size } = this.session;
    const share = nextShare("scrypt", work, extranonce1, "00".repeat(extranonce2Size), this.#nonce);
    if (!share) throw new Error("no share");
    this.#nonce = Number.parseInt(share.nonce, 16) + 1;
    return share;
  }

  async submit(share = this.find()): Promise<void> {
    if ((await this.client?.submit(this.worker, share)) === true) this.accepted++;
  }
}

let crews = 0;

async function settle(count: number): Promise<Returner[]> {
  const name = `crew${crews++}`;
  const wishes = Array.from({ length: count }, (_, i) => (3 * (i + 1)) / 100_000);
  const all = wishes.map((wish, i) => new Returner(`${name}.r${i}`, wish));
  await Promise.all(
    all.map(async (it) => {
      await it.come();
      await it.authorize(true);
      await until("its wish is granted", 5_000, () => it.difficulty === it.wish);
      await it.submit();
    }),
  );
  return all;
}

/** Everyone comes back at once and must find everything as it was. Returns the longest wait for the answer to subscribe. */
async function expectSameAgain(all: readonly Returner[]): Promise<number> {
  const waits = await Promise.all(
    all.map(async (it) => {
      const before = it.session;
      const old = it.find(); // Made before the connection broke, or at least of a job from then.
      const ms = await it.come();
      expect(it.session?.extranonce1).toBe(before?.extranonce1);
      expect(it.difficulty).toBe(it.wish);
      await it.authorize();
      await it.submit(old);
      await it.submit();
      return ms;
    }),
  );
  return Math.max(...waits);
}

test(
  "C4 a miner that breaks its connection and is back at once has its extranonce1, its difficulty and its live jobs, again and again",
  async () => {
    const all = await settle(8);
    const waits: number[] = [];
    for (let round = 0; round < 3; round++) {
      for (const { client } of all) client?.socket.resetAndDestroy();
      waits.push(await expectSameAgain(all));
    }
    expect(Math.max(...waits)).toBeLessThan(1_500);
    await expectAllOnce(
      pool,
      "crew0.",
      all.reduce((sum, { accepted }) => sum + accepted, 0),
    );
  },
  TEST_MS,
);

test(
  "C4 the same after its backend was killed with it: whichever backend serves it",
  async () => {
    const all = await settle(8);
    for (const signal of ["SIGKILL", "SIGTERM"] as const) {
      const replaced = kill(pool, "stratum", signal);
      for (const { client } of all) client?.close();
      await expectSameAgain(all);
      await replaced;
    }
  },
  TEST_MS,
);

const childrenOf = (pid: number): number[] =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ").filter(Boolean).map(Number);

test(
  "C4 the same after HAProxy was killed -9 with everybody's connection",
  async () => {
    const all = await settle(8);
    const [master = 0] = pool.pids("haproxy");
    for (const pid of [master, ...childrenOf(master)]) process.kill(pid, "SIGKILL");
    await until("everybody noticed", 5_000, () => all.every(({ client }) => client?.closed));
    await expectSameAgain(all);
  },
  TEST_MS,
);

test(
  "C4 the same after the keeper was killed -9 with its edge, as on a host that is lost: nobody said that they left",
  async () => {
    const all = await settle(8);
    const [keeper = 0] = pool.pids("keeper");
    for (const pid of [keeper, ...childrenOf(keeper)]) process.kill(pid, "SIGKILL");
    await until("everybody noticed", 5_000, () => all.every(({ client }) => client?.closed));
    await expectSameAgain(all);
  },
  TEST_MS,
);

test(
  "C4 of two clients that claim one session the live one keeps it",
  async () => {
    const [owner] = await settle(1);
    if (!owner?.session) throw new Error("no session");
    const thief = new Returner("thief.rig", 1);
    thief.session = owner.session;
    await thief.come();
    expect(thief.session.extranonce1).not.toBe(owner.session.extranonce1);
    await owner.submit();
    expect(owner.client?.closed).toBe(false);
    owner.client?.close();
    const rivals = [owner, new Returner(owner.worker, 1)];
    for (const rival of rivals) rival.session = owner.session;
    await Promise.all(rivals.map((rival) => rival.come()));
    expect(new Set(rivals.map(({ session }) => session?.extranonce1)).size).toBe(2);
  },
  TEST_MS,
);
