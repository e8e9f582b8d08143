// How an operator changes the doors: edit the configuration, tell the controller.

import { readFile, writeFile } from "node:fs/promises";
import { expect, test } from "@jest/globals";
import { parse, stringify } from "smol-toml";
import { haproxy } from "../../lib/contracts/index.js";
import { atEnd } from "../kit/cleanup.js";
import { startEasyPool } from "../kit/easy-chain.js";
import { LineClient } from "../kit/line-client.js";
import { Miner } from "../kit/pool.js";
import { freePort } from "../kit/ports.js";
import { until } from "../kit/until.js";

test("a listener that is added to the configuration serves after a HUP of the controller; the miners that are there stay", async () => {
  const pool = await startEasyPool();
  const doors = pool.house.nexus.client(haproxy);
  atEnd(() => doors.close());
  const miner = await Miner.start(pool, "account.rig");
  expect(await miner.mine()).toBe(true);
  const config = parse(await readFile(pool.configFile, "utf8")) as { haproxy: { listeners: object[] } };
  const port = await freePort();
  config.haproxy.listeners.push({ name: "second", host: "127.0.0.1", port });
  await writeFile(pool.configFile, stringify(config));
  const hup = () => {
    for (const pid of pool.pids("haproxy-controller")) process.kill(pid, "SIGHUP");
  };
  hup();
  const reloads = async () => (await doors.call("status", {})).reloads;
  await until("HAProxy is reloaded", 15_000, async () => (await reloads()) === 1);
  const late = await LineClient.connect(port);
  expect(await late.ask('{"id":1,"method":"mining.ping","params":[]}')).toContain('"id":1');

  await writeFile(pool.configFile, "nonsense [");
  hup(); // It is said in the log, and nothing changes.
  expect(await miner.mine()).toBe(true);
  expect(miner.client.closed).toBe(false);
  await doors.call("ban", { address: "192.0.2.1", reason: "operator" }); // It lives.
  expect(await reloads()).toBe(1);
}, 90_000);
