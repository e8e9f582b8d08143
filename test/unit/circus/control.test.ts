// The control protocol, spoken raw over ZeroMQ as circusctl does: every command, every kind of refusal, events and stats.

import { statSync } from "node:fs";
import { beforeEach, describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { Request } from "zeromq";
import { callCircus } from "../../../circus/index.js";
import { alive, type Json, rawCall, startArbiter, type TestArbiter } from "../../kit/circus.js";
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

test("the endpoints are for their owner alone", () => {
  const { endpoint, pubsub_endpoint, stats_endpoint = "" } = it.arbiter.config;
  for (const at of [endpoint, pubsub_endpoint, stats_endpoint]) {
    expect(statSync(at.slice("ipc://".length)).mode & 0o777).toBe(0o600);
  }
});

test("a reply has the request's id, the status and the time as float seconds", async () => {
  const reply = await call("list");
  expect(reply).toEqual({
    id: "x1",
    status: "ok",
    time: expect.any(Number),
    watchers: ["Job One", "solo", "web"],
  });
  expect(Math.abs(Number(reply.time) - Date.now() / 1_000)).toBeLessThan(5);
});

describe("questions", () => {
  test.each<[string, Json, () => Json]>([
    ["list", { name: "web" }, () => ({ pids: [...it.pids("web")].sort((a, b) => a - b) })],
    ["numprocesses", {}, () => ({ numprocesses: 3 })],
    ["numprocesses", { name: "web" }, () => ({ numprocesses: 2, watcher_name: "web" })],
    ["numwatchers", {}, () => ({ numwatchers: 3 })],
    ["status", {}, () => ({ status: "ok", statuses: { web: "active", "Job One": "stopped", solo: "active" } })],
    ["status", { name: "web" }, () => ({ status: "active" })],
    ["status", { name: "JOB ONE" }, () => ({ status: "stopped" })],
    [
      "get",
      { name: "web", keys: ["numprocesses", "stop_signal"] },
      () => ({ options: { numprocesses: 2, stop_signal: 15 } }),
    ],
    ["globaloptions", { option: "check_delay" }, () => ({ options: { check_delay: 5 } })],
    ["listsockets", {}, () => ({ sockets: [] })],
    ["LIST", {}, () => ({ status: "ok" })],
  ])("%s %j", async (command, properties, expected) => {
    expect(await call(command, properties)).toMatchObject(expected());
  });

  test("options tells every option by Circus's name", async () => {
    const { options } = await call("options", { name: "web" });
    expect(options).toMatchObject({
      cmd: "sleep 1000",
      numprocesses: 2,
      graceful_timeout: 2,
      copy_env: false,
      stdout_stream_conf: null,
    });
  });

  test("stats of all, of one watcher, of one process", async () => {
    const [pid = 0] = it.pids("web");
    const info = {
      ...{ pid, wid: 1, username: expect.any(String), nice: 0, cmdline: "sleep", children: [] },
      ...{ mem_info1: expect.stringMatching(/^\d+[BKMG]$/), mem_info2: expect.stringMatching(/^\d+[BKMG]$/) },
      ...{ cpu: expect.any(Number), mem: expect.any(Number), ctime: expect.stringMatching(/^\d+:\d\d\.\d\d$/) },
      ...{ age: expect.any(Number), create_time: expect.any(Number), started: expect.any(Number) },
    };
    expect(await call("stats", { name: "web" })).toMatchObject({ name: "web", info: { [pid]: info } });
    expect(await call("stats", { name: "web", process: pid })).toMatchObject({ process: pid, info });
    expect(Object.keys((await call("stats")).infos as Json).sort()).toEqual(["Job One", "solo", "web"]);
    expect(await call("dstats")).toMatchObject({ info: { pid: process.pid } });
  });
});

describe("orders", () => {
  test("incr and decr answer with the new number, and the number comes true", async () => {
    expect(await call("incr", { name: "web", nb: 2, waiting: true })).toMatchObject({ numprocesses: 4 });
    expect(it.pids("web")).toHaveLength(4);
    const newest = it.pids("web").at(-1);
    expect(await call("decr", { name: "web", nb: 3 })).toMatchObject({ numprocesses: 1 });
    await until("one is left", 2_000, () => it.pids("web").length === 1);
    expect(it.pids("web")).toEqual([newest]); // The oldest went.
    expect(await call("decr", { name: "web", nb: 9, waiting: true })).toMatchObject({ numprocesses: 0 });
    expect(it.pids("web")).toEqual([]);
  });

  test("stop, start, restart and reload say which processes went and came", async () => {
    const before = [...it.pids("web")];
    expect(await call("stop", { name: "web", waiting: true })).toMatchObject({
      info: { stopped: before, started: [], kept: [] },
    });
    expect(before.filter(alive)).toEqual([]);
    const started = await call("start", { name: "web", waiting: true });
    const now = [...it.pids("web")];
    expect(started).toMatchObject({ info: { stopped: [], started: now, kept: [] } });
    expect(await call("start", { name: "web", waiting: true })).toMatchObject({ info: { kept: now } });
    await call("restart", { name: "web", waiting: true });
    const later = [...it.pids("web")];
    expect(later.filter((pid) => now.includes(pid))).toEqual([]);
    expect(await call("reload", { name: "web", waiting: true })).toMatchObject({
      info: { stopped: later, started: it.pids("web") },
    });
  });

  test("without waiting the answer comes at once", async () => {
    await call("add", {
      name: "deaf",
      cmd: "trap '' TERM; while :; do sleep 0.05; done",
      options: { shell: true, copy_env: true, graceful_timeout: 1 },
      start: true,
      waiting: true,
    });
    const at = Date.now();
    expect(await call("stop", { name: "deaf" })).toEqual({
      id: "x1",
      status: "ok",
      time: expect.any(Number),
    });
    expect(Date.now() - at).toBeLessThan(500);
    expect(await call("status", { name: "deaf" })).toMatchObject({ status: "stopping" });
    await until("it is stopped", 3_000, () => it.arbiter.watcher("deaf")?.state === "stopped");
  });

  test("start and stop take globs and regular expressions; without a name they mean all", async () => {
    await call("stop", { name: "*o*", waiting: true });
    expect(await call("status")).toMatchObject({ statuses: { web: "active", solo: "stopped" } });
    await call("stop", { name: "w.b", match: "regex", waiting: true });
    expect(it.pids("web")).toEqual([]);
    await call("start", { waiting: true });
    expect(await call("status")).toMatchObject({ statuses: { web: "active", solo: "active", "Job One": "active" } });
    await call("stop", { waiting: true });
    expect(await call("numprocesses")).toMatchObject({ numprocesses: 0 });
  });

  test("signal and kill reach the process they name; it is replaced", async () => {
    const [one = 0, two = 0] = it.pids("web");
    await call("signal", { name: "web", pid: one, signum: "kill" });
    await until("another took its place", 2_000, () => it.pids("web").length === 2 && !it.pids("web").includes(one));
    expect(it.pids("web")).toContain(two);
    await call("kill", { name: "web", pid: two, signum: 9, waiting: true });
    expect(alive(two)).toBe(false);
    expect(it.pids("web")).toHaveLength(2);
  });

  test("set changes what a running watcher is, and replaces its processes when that needs it", async () => {
    const before = [...it.pids("web")];
    await call("set", { name: "web", options: { graceful_timeout: 7, numprocesses: "3" }, waiting: true });
    expect(it.pids("web").slice(0, 2)).toEqual(before);
    expect(it.pids("web")).toHaveLength(3);
    await call("set", { name: "web", options: { cmd: "sleep 2000" }, waiting: true });
    expect(it.pids("web").filter((pid) => before.includes(pid))).toEqual([]);
    expect(await call("get", { name: "web", keys: ["cmd", "graceful_timeout"] })).toMatchObject({
      options: { cmd: "sleep 2000", graceful_timeout: 7 },
    });
  });

  test("add makes a watcher, rm ends and forgets it", async () => {
    expect(
      await call("add", {
        name: "new",
        cmd: "sleep",
        args: ["1000"],
        options: { numprocesses: 2 },
        start: true,
        waiting: true,
      }),
    ).toMatchObject({
      info: { started: [expect.any(Number), expect.any(Number)] },
    });
    const pids = [...it.pids("new")];
    expect(await call("rm", { name: "new", waiting: true })).toMatchObject({ status: "ok" });
    expect(pids.filter(alive)).toEqual([]);
    expect(await call("status", { name: "new" })).toMatchObject({ errno: 3 });
  });

  test("quit ends everything, answers first, and closes the endpoint", async () => {
    const pids = [...it.pids("web")];
    const closed = new Promise<void>((resolve) => it.arbiter.once("closed", resolve));
    expect(await call("quit", { waiting: true })).toMatchObject({
      status: "ok",
      info: { stopped: expect.arrayContaining(pids) },
    });
    await closed;
    expect(pids.filter(alive)).toEqual([]);
    await expect(callCircus(it.arbiter.config.endpoint, "list")).rejects.toThrow("no manager listens");
  });
});

describe("refusals", () => {
  test.each<[string, string | Json, number, string]>([
    ["no JSON", "{nope", 1, "json invalid"],
    ["an empty message", "", 1, "json invalid"],
    ["JSON that is no object", "[1]", 6, "no JSON object"],
    ["an id that is nested", '{"command":"list","id":[[1]]}', 6, "`id` is no text"],
    [
      "an id of 200,000 brackets",
      `{"command":"list","id":${"[".repeat(200_000)}${"]".repeat(200_000)}}`,
      6,
      "`id` is no text",
    ],
    ["decr of a singleton", { id: 1, command: "decr", properties: { name: "solo" } }, 5, "solo is a singleton"],
    ["a command that is no text", { id: 1, command: 7 }, 6, "`command` is no text"],
    ["properties that are no object", { id: 1, command: "list", properties: "x" }, 6, "`properties`"],
    ["an unknown command", { id: 1, command: "dance" }, 2, "unknown command: 'dance'"],
    ["a name from JavaScript's own objects", { id: 1, command: "constructor" }, 2, "unknown command"],
    [
      "a command of Circus's that is not here",
      { id: 1, command: "reloadconfig" },
      2,
      "'reloadconfig' is not supported here: use add",
    ],
    ["a missing name", { id: 1, command: "incr" }, 3, "message invalid: 'name' is missing"],
    ["an unknown watcher", { id: 1, command: "stop", properties: { name: "nope" } }, 3, "program nope not found"],
    [
      "an unknown process",
      { id: 1, command: "stats", properties: { name: "web", process: 1 } },
      3,
      "process 1 not found",
    ],
    [
      "a wrong signal",
      { id: 1, command: "signal", properties: { name: "web", signum: "SIGNOPE" } },
      3,
      "'signum' is wrong",
    ],
    [
      "childpid without pid",
      { id: 1, command: "signal", properties: { name: "web", signum: 15, childpid: 1 } },
      3,
      "childpid without pid",
    ],
    [
      "a signal to a stranger",
      { id: 1, command: "signal", properties: { name: "web", pid: 1, signum: 15 } },
      3,
      "process 1 not found",
    ],
    [
      "an unknown option",
      { id: 1, command: "set", properties: { name: "web", options: { colour: 1 } } },
      3,
      "colour: unknown option",
    ],
    [
      "a wrong value",
      { id: 1, command: "set", properties: { name: "web", options: { numprocesses: "x" } } },
      3,
      "an integer from 0 to 1000",
    ],
    [
      "hooks",
      { id: 1, command: "add", properties: { name: "n", cmd: "x", options: { "hooks.before_start": "a.b" } } },
      3,
      "not supported: it names Python code",
    ],
    [
      "two of a singleton",
      { id: 1, command: "incr", properties: { name: "solo" } },
      3,
      "a singleton has at most one process",
    ],
    [
      "an unknown option to get",
      { id: 1, command: "get", properties: { name: "web", keys: ["nope"] } },
      3,
      "'nope' option not found",
    ],
    [
      "a program that does not exist",
      { id: 1, command: "add", properties: { name: "n", cmd: "/nonexistent", start: true, waiting: true } },
      4,
      "cannot start",
    ],
    ["a watcher that exists", { id: 1, command: "add", properties: { name: "WEB", cmd: "x" } }, 5, "already exists"],
    [
      "reload of a stopped watcher",
      { id: 1, command: "reload", properties: { name: "Job One", waiting: true } },
      5,
      "is stopped; start it first",
    ],
  ])("%s", async (_what, frame, errno, reason) => {
    const reply = await rawCall(it.arbiter.config.endpoint, frame);
    expect(reply).toMatchObject({
      status: "error",
      errno,
      tb: null,
      time: expect.any(Number),
      reason: expect.stringContaining(reason),
    });
    expect(reply?.id).toBe(typeof frame === "object" ? 1 : null);
  });

  test("a cast is carried out and gets no reply", async () => {
    const frame = { id: 1, command: "incr", properties: { name: "web" }, msg_type: "cast" };
    expect(await rawCall(it.arbiter.config.endpoint, frame, 300)).toBeUndefined();
    expect(it.arbiter.watcher("web")?.config.numprocesses).toBe(3);
  });

  test("a REQ client is answered, too", async () => {
    const socket = new Request({ linger: 0, receiveTimeout: 2_000 });
    socket.connect(it.arbiter.config.endpoint);
    await socket.send(JSON.stringify({ id: 1, command: "numwatchers" }));
    const [reply] = await socket.receive();
    socket.close();
    expect(JSON.parse(String(reply))).toMatchObject({ numwatchers: 3 });
  });

  test("no message whatever keeps the next one from being answered", async () => {
    const commands = ["list", "stats", "get", "incr", "set", "signal", "add", "stop", "status"];
    const message = fc.record({
      id: fc.jsonValue(),
      command: fc.constantFrom(...commands),
      properties: fc.oneof(
        fc.jsonValue(),
        fc.dictionary(fc.constantFrom("name", "nb", "options", "signum", "pid", "keys"), fc.jsonValue()),
      ),
    });
    const frame = fc.oneof(
      fc.string(),
      message.map((value) => JSON.stringify(value)),
    );
    await fc.assert(
      fc.asyncProperty(frame, async (text) => {
        expect(await rawCall(it.arbiter.config.endpoint, text)).toHaveProperty("status");
      }),
      { numRuns: 60 },
    );
    expect(await call("numwatchers")).toMatchObject({ status: "ok" });
  });
});
