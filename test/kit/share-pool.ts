// share-pool: a whole pool whose blocks are far too hard to find, so that shares are only shares, and a crowd that finds them.
//
//   const { pool, tip } = await startSharePool(redis);
//   const crowd = await Crowd.start(pool, 8);            // mines until it is stopped
//   ... break something ...
//   await crowd.stop();
//   await crowd.mustBeInLog(redis);                      // S1: each `true` exactly once

import { setTimeout as delay } from "node:timers/promises";
import { expect } from "@jest/globals";
import type { Redis } from "ioredis";
import { fromTable, plainAnswers, startDaemonStandIn } from "./daemon-stand-in.js";
import { Miner, type PoolOptionsForTest, startPool, type TestPool } from "./pool.js";
import { until } from "./until.js";

/** Every few hashes are a share, whatever the miner's speed. */
const easyShares = {
  stratum: { listeners: { default: { difficulty: { start: 0.0001, floor: 0.0001 }, vardiff: { enabled: false } } } },
};
/** Between two shares of one miner: leaves the cores to the pool. */
const BREATH_MS = 10;

const template = (tip: number) => ({
  ...(plainAnswers.getblocktemplate as object),
  bits: "1b00ffff",
  target: `000000000000ffff${"00".repeat(24)}`,
  previousblockhash: tip.toString(16).padStart(64, "1"),
  height: 1 + tip,
});

const answers = (tip: number) =>
  fromTable({
    ...plainAnswers,
    getblocktemplate: template(tip),
    getbestblockhash: template(tip).previousblockhash,
    getblockchaininfo: { chain: "regtest", blocks: tip },
  });

export interface SharePool {
  readonly pool: TestPool;
  /** The chain has another block: everybody gets new work. */
  tip(): void;
}

export async function startSharePool(
  redis: PoolOptionsForTest["redis"],
  settings: PoolOptionsForTest["settings"] = {},
  more: Pick<PoolOptionsForTest, "dashboard" | "keep"> = {},
): Promise<SharePool> {
  let height = 1;
  const daemon = await startDaemonStandIn(answers(height), more.keep);
  const pool = await startPool({ redis, daemons: [daemon], settings: { ...easyShares, ...settings }, ...more });
  return {
    pool,
    tip: () => daemon.say(answers(++height)),
  };
}

/** The share log as Redis has it: field -> value, one an entry. */
export async function shareLog(redis: Redis, cluster = "headframe"): Promise<Record<string, string>[]> {
  const entries = await redis.xrange(`hf:{${cluster}}:shares`, "-", "+");
  return entries.map(([, fields]) => {
    const pairs = fields.flatMap((name, i) => (i % 2 === 0 ? [[name, fields[i + 1] ?? ""]] : []));
    return Object.fromEntries(pairs) as Record<string, string>;
  });
}

export class Crowd {
  #stopped = false;
  #working: Promise<unknown> = Promise.resolve();

  private constructor(readonly miners: readonly Miner[]) {}

  /** Subscribed, authorized and mining. */
  static async start(pool: { readonly port: number }, size: number): Promise<Crowd> {
    const names = Array.from({ length: size }, (_, i) => `m${i}.rig`);
    const crowd = new Crowd(await Promise.all(names.map((name) => Miner.start(pool, name))));
    crowd.#working = Promise.all(crowd.miners.map((miner) => crowd.#work(miner)));
    return crowd;
  }

  /** Shares that were answered `true`. */
  get accepted(): number {
    return this.miners.reduce((sum, miner) => sum + miner.accepted, 0);
  }

  /** Error codes that were answered. */
  get refused(): number[] {
    return this.miners.flatMap((miner) => miner.refused);
  }

  /** Every miner gets answers: `shares` more for each. */
  async goesOn(shares: number, deadlineMs: number): Promise<void> {
    const before = this.miners.map(({ accepted }) => accepted);
    await until(`every miner has had ${shares} more shares taken`, deadlineMs, () =>
      this.miners.every(({ accepted }, i) => accepted >= (before[i] ?? 0) + shares),
    );
  }

  /** Resolves when the last question is answered; rejects when one was not. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#working;
  }

  /** C1 to C3. */
  mustBeConnected(): void {
    expect(this.miners.filter(({ client }) => client.closed).map(({ worker }) => worker)).toEqual([]);
  }

  /** S1: what was answered `true`, and nothing twice. Waits until spools are flushed. */
  async mustBeInLog(redis: Redis, deadlineMs = 15_000): Promise<void> {
    await until("the log has what was answered `true`", deadlineMs, async () => {
      return (await shareLog(redis)).length >= this.accepted;
    });
    const log = await shareLog(redis);
    const byWorker = (name: string) => log.filter(({ worker }) => worker === name).length;
    expect(this.miners.map(({ worker }) => byWorker(worker))).toEqual(this.miners.map(({ accepted }) => accepted));
    expect(new Set(log.map(({ id }) => id)).size).toBe(log.length);
  }

  async #work(miner: Miner): Promise<void> {
    while (!this.#stopped) {
      await miner.mine();
      await delay(BREATH_MS);
    }
  }
}
