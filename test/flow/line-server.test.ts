// examples/line-server, as its README runs it: what a service of one's own gets from the house.

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "@jest/globals";
import { execa } from "execa";
import { parse } from "smol-toml";
import { atEnd } from "../kit/cleanup.js";
import { LineClient } from "../kit/line-client.js";
import { startHouse } from "../kit/pool.js";
import { freePort } from "../kit/ports.js";
import { startRedis } from "../kit/redis.js";
import { until } from "../kit/until.js";

const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
/** To a client that enters: hello, its name, its room. */
const ANSWERS = 3;
const EXAMPLE = "../../../examples/line-server/";

test("examples/line-server: clients stay and miss no line, none twice, while an instance is killed and all are swapped", async () => {
  const [redis, port] = await Promise.all([startRedis(), freePort()]);
  const file = parse(readFileSync(at(`${EXAMPLE}headframe.toml`), "utf8"));
  const listeners = [{ name: "default", host: "127.0.0.1", port, firstByte: "" }];
  const settings = { ...file, redis: { url: redis.url }, haproxy: { listeners, connectionsMax: 100 } };
  const house = await startHouse(settings, { port, circusFile: at(`${EXAMPLE}circus.ini`) });
  const clients = await Promise.all(["ann", "ben", "cy"].map((name) => enter(port, name)));

  let spoken = 0;
  let stop = false;
  const talking = (async () => {
    while (!stop) {
      for (const [i, client] of clients.entries()) client.send(`${i} ${spoken}`);
      spoken++;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  })();
  atEnd(() => {
    stop = true;
  });
  const goesOn = async (what: string) => {
    const before = spoken;
    await until(what, 20_000, () =>
      clients.every(({ lines }) => lines.some((line) => line.endsWith(` ${before + 1}`))),
    );
  };
  await goesOn("everybody hears everybody");
  const [victim = 0] = house.pids("talk");
  process.kill(victim, "SIGKILL");
  await goesOn("everybody hears everybody after a kill -9");
  const headframe = (...words: string[]) =>
    execa(process.execPath, [at("../../bin/headframe.js"), ...words, "--config", house.configFile]);
  expect((await headframe("swap", "talk")).stdout).toContain("talk swapped in");
  expect(house.pids("talk")).not.toContain(victim);
  await goesOn("everybody hears everybody after the swap");
  const own = ["--contract", at("../../examples/line-server/talk.js")];
  const statuses = (await headframe("call", "talk", "status", ...own)).stdout;
  expect(JSON.parse(statuses)).toMatchObject({ connections: expect.any(Number) });
  stop = true;
  await talking;

  const said = ["ann", "ben", "cy"].flatMap((name, i) =>
    Array.from({ length: spoken }, (_, n) => `${name}: ${i} ${n}`),
  );
  const heard = ({ lines }: LineClient) => lines.filter((line) => !line.startsWith("*"));
  await until("everything said was heard", 20_000, () =>
    clients.every(({ lines }) => lines.length >= said.length + ANSWERS),
  ).catch(() => {}); // What is missing is said below.
  for (const client of clients) {
    expect(client.closed).toBe(false);
    expect(said.filter((line) => !client.lines.includes(line))).toEqual([]);
    expect(heard(client)).toEqual(heard(clients[0] ?? client)); // Everybody the same, in the same order.
  }
  expect(heard(clients[0] as LineClient).sort()).toEqual(said.sort());
}, 90_000);

async function enter(port: number, name: string): Promise<LineClient> {
  const client = await LineClient.connect(port);
  atEnd(() => client.end());
  expect(await client.line("a greeting comes")).toContain("hello");
  expect(await client.ask(`/name ${name}`)).toBe(`* you are ${name}`);
  expect(await client.ask("/room test")).toBe("* you are in test");
  return client;
}
