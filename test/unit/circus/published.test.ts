// What the manager publishes, and the client that speaks to it.

import { beforeEach, describe, expect, test } from "@jest/globals";
import { CircusCallError, callCircus } from "../../../circus/index.js";
import { type Json, rawCall, startArbiter, subscribe, type TestArbiter } from "../../kit/circus.js";
import { until } from "../../kit/until.js";

const INI = `[circus]
statsd = true
[watcher:web]
cmd = sleep 1000
numprocesses = 2
priority = 2
graceful_timeout = 2
[watcher:Job One]
cmd = sleep 1000
autostart = false
[watcher:solo]
cmd = sleep 1000
singleton = true
`;

let it: TestArbiter;

beforeEach(async () => {
  it = await startArbiter(INI);
});

async function call(command: string, properties: Json = {}): Promise<Json> {
  const reply = await rawCall(it.arbiter.config.endpoint, { id: "x1", command, properties });
  if (reply === undefined) throw new Error(`${command} got no reply`);
  return reply;
}

describe("the client", () => {
  test("returns the reply, or throws with the protocol's number", async () => {
    const { endpoint } = it.arbiter.config;
    expect(await callCircus(endpoint, "numwatchers")).toMatchObject({ numwatchers: 3 });
    const refused = callCircus(endpoint, "stop", { name: "nope" });
    await expect(refused).rejects.toBeInstanceOf(CircusCallError);
    await expect(refused).rejects.toMatchObject({ errno: 3, message: "stop: [NOT_FOUND] program nope not found" });
  });

  test("gives up in time when nothing answers", async () => {
    const at = Date.now();
    await expect(callCircus("tcp://127.0.0.1:1", "list", {}, { timeoutMs: 200 })).rejects.toThrow(
      "no answer from tcp://127.0.0.1:1 within 200 ms",
    );
    expect(Date.now() - at).toBeLessThan(2_000);
  });
});

describe("what is published", () => {
  test("events of a watcher's life, in Circus's shape", async () => {
    const seen = subscribe(it.arbiter.config.pubsub_endpoint, "watcher.job_one.");
    await until("the subscription has arrived", 3_000, async () => {
      await call("set", { name: "Job One", options: { priority: 1 } });
      return seen.length > 0;
    });
    await call("start", { name: "Job One", waiting: true });
    const [pid] = it.pids("Job One");
    await call("reload", { name: "Job One", waiting: true });
    await call("rm", { name: "Job One", waiting: true });
    await until("the last event has arrived", 2_000, () => seen.at(-1)?.[0].endsWith(".stop"));
    const topics = seen.map(([topic]) => topic.split(".").at(-1)).filter((topic) => topic !== "updated");
    expect(topics).toEqual(["spawn", "start", "spawn", "kill", "reap", "reload", "remove", "kill", "reap", "stop"]);
    const time = expect.any(Number);
    expect(seen.find(([topic]) => topic.endsWith("spawn"))?.[1]).toEqual({ process_pid: pid, time });
    expect(seen.find(([topic]) => topic.endsWith("reap"))?.[1]).toEqual({ process_pid: pid, exit_code: -15, time });
    expect(seen.find(([topic]) => topic.endsWith("start"))?.[1]).toEqual({ time });
  });

  test("stats of each process, each watcher, and the manager", async () => {
    const seen = subscribe(it.arbiter.config.stats_endpoint ?? "", "stat.");
    const [pid] = it.pids("web");
    const of = (topic: string) => seen.find(([name]) => name === topic)?.[1];
    await until("all have come", 4_000, () => of(`stat.web.${pid}`) && of("stat.web") && of("stat.circus"));
    expect(of(`stat.web.${pid}`)).toMatchObject({
      pid,
      subtopic: pid,
      name: "web",
      cpu: expect.any(Number),
      mem: expect.any(Number),
    });
    expect(of("stat.web")).toMatchObject({
      pid: it.pids("web"),
      cpu: expect.any(Number),
      mem: expect.any(Number),
      age: expect.any(Number),
    });
  });
});
