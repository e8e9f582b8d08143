// An exception in the work for one connection: what its neighbours, the hand-over and the broadcast notice of it.

import { expect, test } from "@jest/globals";
import type { Handle } from "../../../lib/contracts/index.js";
import { CLOSES_PER_SECOND_MAX } from "../../../services/stratum/guard.js";
import { craftJob, mine, submitLine } from "./craft.js";
import { EDGE, Instance, Miner, type SharedMemory } from "./stand-ins.js";

const job = craftJob();
const SUBSCRIBE = '{"id":1,"method":"mining.subscribe","params":[]}';
const AUTHORIZE = '{"id":2,"method":"mining.authorize","params":["alice.rig1"]}';
const PING = '{"id":7,"method":"mining.ping","params":[]}';

class Broken extends Instance {
  count = (name: string): number => this.tally.counters()[name] ?? 0;

  /** Every work for this connection that needs the rules of its listener throws from now on. */
  break({ handle }: Miner): void {
    const connection = this.lines.connections.find(EDGE, handle as Handle);
    if (!connection) throw new Error(`no connection has the handle ${handle}`);
    Object.defineProperty(connection, "rules", {
      get() {
        throw new Error("planted");
      },
    });
  }

  async mining(name: string, handle: number): Promise<Miner> {
    const miner = new Miner(this, `tcp/${name}`, handle);
    await miner.ask(SUBSCRIBE);
    await miner.ask(AUTHORIZE);
    return miner;
  }
}

const start = (memory?: SharedMemory) => {
  const instance = new Broken(memory);
  instance.job(job);
  return instance;
};

const lineOf = ({ handle }: Miner, number: number, text: string) => ({
  ...{ kind: "line" as const, handle: handle as never, number: number as never, bytes: Buffer.from(text) },
});

test("S5 a line whose work throws is acknowledged and its connection closed; the other lines of the batch are answered", async () => {
  const instance = start();
  const [bad, good] = [await instance.mining("bad", 1), await instance.mining("good", 2)];
  instance.break(bad);
  instance.events(lineOf(bad, 90, PING), lineOf(good, 91, PING));
  expect(await good.hear()).toHaveLength(1);
  expect(await bad.hear()).toEqual([]);
  expect({ bad: bad.acknowledged.at(-1), good: good.acknowledged.at(-1) }).toEqual({ bad: 90, good: 91 });
  expect({ bad: bad.closed, good: good.closed }).toEqual({
    bad: expect.stringContaining("connect again"),
    good: undefined,
  });
  expect(instance.lines.queueBytes).toBe(0);
  await instance.lines.idle();
  expect(instance.count("exceptions.line")).toBe(1);
});

test("S5 a connection that cannot be opened is closed, and the next of the batch is opened", async () => {
  const instance = start();
  Object.defineProperty(instance.settings.listeners, "cursed", {
    get() {
      throw new Error("planted");
    },
  });
  const bad = new Miner(instance, "tcp/bad", 1, { listener: "cursed" });
  bad.open({ listener: "cursed" });
  await bad.hear();
  expect(bad.closed).toContain("connect again");
  expect(await (await instance.mining("good", 2)).ask(PING)).toHaveLength(1);
});

test("S5 a subscription whose extranonce1 cannot be had ends: the line is acknowledged, and a hand-over does not wait for it", async () => {
  const instance = start();
  instance.memoryDelay = Promise.reject(new Error("planted"));
  instance.memoryDelay.catch(() => {});
  const miner = new Miner(instance, "tcp/one");
  miner.line(SUBSCRIBE, 5);
  miner.line(PING, 6);
  await instance.lines.idle();
  await miner.hear();
  expect(miner.closed).toContain("connect again");
  expect(miner.acknowledged).toEqual([5, 6]);
  expect(instance.lines.queueBytes).toBe(0);
});

test("S5 an adopted connection whose state cannot be loaded is closed, and its lines are acknowledged", async () => {
  const instance = start();
  instance.memoryDelay = Promise.reject(new Error("planted"));
  instance.memoryDelay.catch(() => {});
  const miner = new Miner(instance, "tcp/one", 1, { adopted: true });
  miner.open({ adopted: true });
  miner.line(PING, 6);
  await instance.lines.idle();
  await miner.hear();
  expect(miner.closed).toContain("connect again");
  expect(miner.acknowledged).toEqual([6]);
});

test("S5 a broadcast and a sweep that throw for one connection reach every other one", async () => {
  const instance = start();
  const [bad, good] = [await instance.mining("bad", 1), await instance.mining("good", 2)];
  instance.break(bad);
  instance.job(craftJob({ id: "b1", tip: 2, height: 101, versionMask: 0 }));
  expect((await good.hear()).some((line) => line.includes("mining.notify"))).toBe(true);
  await bad.hear();
  expect(bad.closed).toContain("connect again");
  instance.broadcast.sweep();
  expect(instance.count("mining")).toBe(2);
  expect(good.closed).toBeUndefined();
});

test("S5 a share whose outcome cannot be handled is answered, and the outcomes of the others are handled", async () => {
  const instance = start();
  const [bad, good] = [await instance.mining("bad", 1), await instance.mining("good", 2)];
  instance.break(bad);
  bad.line(submitLine(9, mine(job, "share", {}, "00000001")));
  good.line(submitLine(9, mine(job, "share", {}, "00000002")));
  await instance.lines.idle();
  await bad.hear();
  expect((await good.hear())[0]).toContain('"result":true');
  expect(bad.acknowledged).toHaveLength(3);
});

test("S5 a fault that every miner meets closes a few of them a second, not the pool", async () => {
  const instance = start();
  const miners: Miner[] = [];
  for (let i = 1; i <= CLOSES_PER_SECOND_MAX + 5; i++) miners.push(await instance.mining(`m${i}`, i));
  for (const miner of miners) instance.break(miner);
  instance.events(...miners.map((miner) => lineOf(miner, 90, PING)));
  for (const miner of miners) await miner.hear();
  expect(miners.filter(({ closed }) => closed !== undefined)).toHaveLength(CLOSES_PER_SECOND_MAX);
  expect(miners.map(({ acknowledged }) => acknowledged.at(-1))).toEqual(miners.map(() => 90));
  await instance.lines.idle();
});
