// The ban ladder through the whole pool: stratum sees who misbehaves, HAProxy shuts the address out, everybody else mines on.
// Client addresses are loopback ones: 127.0.0.1 is spared, the others are strangers.

import { expect, test } from "@jest/globals";
import { StratumClient } from "../../demo/miner/client.js";
import { haproxy } from "../../lib/contracts/index.js";
import { key } from "../../lib/wiring/index.js";
import { atEnd } from "../kit/cleanup.js";
import { easyShares, startEasyPool } from "../kit/easy-chain.js";
import { LineClient } from "../kit/line-client.js";
import { Miner, type TestPool } from "../kit/pool.js";
import { until } from "../kit/until.js";

const SHUT_S = 3;
const RULES = {
  ...easyShares({ conduct: { garbledLinesMax: 10, invalidSharesMin: 10 } }),
  haproxy: { bans: { neverBan: ["127.0.0.1"], stepsS: [SHUT_S, 600] } },
};

async function ladder() {
  const pool = await startEasyPool(RULES);
  const doors = pool.house.nexus.client(haproxy);
  atEnd(() => doors.close());
  await doors.ready(10_000);
  return { pool, bans: async () => (await doors.call("status", {})).bans };
}

const connectFrom = ({ port }: TestPool, localAddress: string) =>
  LineClient.connect({ host: "127.0.0.1", port, localAddress });

/** One connection's worth of lines that are no requests; stratum closes it after some. */
async function sendGarbage(pool: TestPool, address: string): Promise<void> {
  const client = await connectFrom(pool, address).catch(() => undefined);
  for (let i = 0; client && i < 5; i++) client.send('{"id":1,"method":');
  await until("it is closed", 5_000, () => !client || client.closed);
}

/** Asked for a pong, HAProxy shut the door. */
async function isRefused(pool: TestPool, address: string): Promise<boolean> {
  const client = await connectFrom(pool, address).catch(() => undefined);
  if (!client) return true;
  client.send('{"id":1,"method":"mining.ping","params":[]}');
  await until("it is answered or closed", 5_000, () => client.closed || client.lines.length > 0);
  client.end();
  return client.lines.length === 0;
}

test("an address that sends garbage is refused for a while, the second time for longer; its neighbours mine on", async () => {
  const { pool, bans } = await ladder();
  const honest = await Miner.start(pool, "honest.rig");
  expect(await honest.mine()).toBe(true);
  const address = "127.0.0.2";
  await until("it is banned", 20_000, async () => {
    await sendGarbage(pool, address);
    return (await bans()).length > 0;
  });
  expect(await bans()).toMatchObject([{ address, reason: "garbage", step: 1 }]);
  await until("it is refused", 2_000, () => isRefused(pool, address));
  expect(await isRefused(pool, "127.0.0.4")).toBe(false);
  expect(await honest.mine()).toBe(true);
  await until("it is let in again", 1_000 * SHUT_S + 5_000, async () => !(await isRefused(pool, address)));
  await until("it is banned again", 20_000, async () => {
    await sendGarbage(pool, address);
    return (await bans()).length > 0;
  });
  const [ban] = await bans();
  expect(ban?.step).toBe(2);
  expect((ban?.until ?? 0) - Date.now()).toBeGreaterThan(500_000);
  expect(await honest.mine()).toBe(true);
  expect(honest.client.closed).toBe(false);
}, 120_000);

test("an address whose shares are nearly all invalid is told so, let go and refused; a neighbour's one bad device takes nobody along", async () => {
  const { pool, bans } = await ladder();
  const client = await StratumClient.connect({ host: "127.0.0.1", port: pool.port, localAddress: "127.0.0.3" });
  atEnd(() => client.close());
  const { extranonce2Size } = await client.subscribe("test-miner/1");
  await client.authorize("cheat.rig");
  const work = await client.nextWork();
  const submit = (nonce: string) =>
    client.request("mining.submit", ["stranger.rig", work.jobId, "00".repeat(extranonce2Size), work.time, nonce]);
  for (let i = 0; i < 10 && !client.closed; i++) await submit(i.toString(16).padStart(8, "0")).catch(() => undefined);
  await until("its connection is closed", 10_000, () => client.closed);
  await until("its address is banned", 5_000, async () => (await bans()).length > 0);
  expect(await bans()).toMatchObject([{ address: "127.0.0.3", reason: "invalid-shares" }]);
  await until("it is refused", 2_000, () => isRefused(pool, "127.0.0.3"));

  // 127.0.0.1, where the honest ones come from, would be spared: this farm is another address.
  const farm = "127.0.0.5";
  const honest = await Miner.start({ port: pool.port, localAddress: farm }, "farm.rig");
  for (let i = 0; i < 4; i++) expect(await honest.mine()).toBe(true);
  // The first good share of an address is told to the other instances at once, those after it now and then.
  const { redis, cluster } = pool.house;
  const vouched = async () => Number(await redis.state.get(key(cluster, "good", farm))) >= 1;
  await until("every instance knows that somebody there is honest", 5_000, vouched);
  for (let i = 0; i < 6; i++) await sendGarbage(pool, farm);
  expect(await honest.mine()).toBe(true);
  expect((await bans()).map(({ address }) => address)).not.toContain(farm);
}, 120_000);
