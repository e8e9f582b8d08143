// The manager as a whole: order, nothing left behind, logs, sockets, leftovers of a killed one.

import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import path from "node:path";
import { describe, expect, test } from "@jest/globals";
import { execa } from "execa";
import { pino } from "pino";
import type { CircusError } from "../../../circus/index.js";
import { Ledger } from "../../../circus/ledger.js";
import { MARK_VARIABLE } from "../../../circus/leftovers.js";
import { bootId, readStat } from "../../../circus/proc.js";
import { alive, startArbiter, temporaryDirectory } from "../../kit/circus.js";
import { atEnd } from "../../kit/cleanup.js";
import { until } from "../../kit/until.js";

const sleeper = (name: string, more = "") => `[watcher:${name}]\ncmd = sleep 1000\n${more}\n`;

describe("order", () => {
  const ini = [
    sleeper("low", "priority = 1"),
    sleeper("high", "priority = 9"),
    sleeper("b", "priority = 5"),
    sleeper("a", "priority = 5\nnumprocesses = 2"),
    sleeper("off", "priority = 10\nautostart = false"),
  ].join("");

  test("watchers start by priority, then name, and stop in exactly the reverse order", async () => {
    const { arbiter, events } = await startArbiter(ini);
    const of = (topic: string) => events.filter((event) => event.topic === topic).map((event) => event.watcher);
    expect(of("start")).toEqual(["high", "a", "b", "low"]);
    await arbiter.close();
    expect(of("stop")).toEqual(["low", "b", "a", "high"]);
    // One after the other: nobody is told to end before the one that depended on him is gone.
    const ends = events.filter((event) => ["kill", "stop"].includes(event.topic)).map((event) => event.watcher);
    expect(ends).toEqual(["low", "low", "b", "b", "a", "a", "a", "high", "high"]);
  });

  test("each starts when the one before is ready", async () => {
    const steps: string[] = [];
    const readiness = async (watcher: string) => {
      steps.push(`${watcher} starts`);
      await new Promise((resolve) => setTimeout(resolve, 20));
      steps.push(`${watcher} ready`);
    };
    await startArbiter(sleeper("a", "priority = 2\nready = true") + sleeper("b", "priority = 1\nready = true"), {
      readiness,
    });
    expect(steps).toEqual(["a starts", "a ready", "b starts", "b ready"]);
  });
});

test("after close nothing is left: no process, no socket file, no ledger", async () => {
  const { arbiter, pids, run } = await startArbiter(`[circus]\nstatsd = true\n${sleeper("a", "numprocesses = 3")}`);
  const all = [...pids("a")];
  expect(readdirSync(run).sort()).toEqual(["circus-events.sock", "circus-stats.sock", "circus.pids", "circus.sock"]);
  await Promise.all([arbiter.close(), arbiter.close()]);
  expect(all.filter(alive)).toEqual([]);
  expect(readdirSync(run)).toEqual([]);
});

test("one watcher's trouble does not keep the others from starting", async () => {
  const { arbiter } = await startArbiter(`[watcher:a]\ncmd = /nonexistent\npriority = 2\n${sleeper("b")}`);
  expect(arbiter.status().map(({ name, status }) => `${name} ${status}`)).toEqual(["a stopped", "b active"]);
});

test('with onTrouble "abort" the first trouble closes all and is thrown', async () => {
  const run = temporaryDirectory();
  const ini = `${sleeper("a", "priority = 2")}[watcher:b]\nshell = true\ncmd = echo no; exit 1\nmax_retry = 0\nwarmup_delay = 1`;
  const opening = startArbiter(ini, { onTrouble: "abort" }, run);
  await expect(opening).rejects.toMatchObject({ code: "GAVE_UP", message: expect.stringContaining("no") });
  expect(readdirSync(run)).toEqual([]);
});

test("a start can be interrupted by a signal", async () => {
  const abort = new AbortController();
  const run = temporaryDirectory();
  const opening = startArbiter(
    sleeper("a", "ready = true"),
    { readiness: () => new Promise(() => undefined), signal: abort.signal },
    run,
  );
  const rejected = expect(opening).rejects.toMatchObject({ code: "REFUSED" } satisfies Partial<CircusError>);
  await until("its ledger has the process", 2_000, () =>
    readFileSync(path.join(run, "circus.pids"), "utf8").includes('"a"'),
  );
  abort.abort();
  await rejected;
  expect(readdirSync(run)).toEqual([]);
});

describe("logs", () => {
  const log = (script: string, more: string) => {
    const stream = "stdout_stream.class = FileStream\nstdout_stream.filename = $(circus.env.RUN)/w.log";
    return `[watcher:w]\nshell = true\ncmd = ${script}; exec sleep 1000\n${stream}\n${more}\n`;
  };

  test("files rotate before they reach max_bytes, keep backup_count, and tear no line", async () => {
    const { run } = await startArbiter(
      log(
        "for i in 10 11 12 13 14 15 16 17 18 19; do echo line $i; done",
        "stdout_stream.max_bytes = 30\nstdout_stream.backup_count = 2",
      ),
    );
    const file = (suffix: string) => readFileSync(path.join(run, `w.log${suffix}`), "utf8");
    await until("the last line is there", 2_000, () => file("").includes("line 19"));
    expect(file("")).toBe("line 19\n");
    expect(file(".1")).toBe("line 16\nline 17\nline 18\n");
    expect(file(".2")).toBe("line 13\nline 14\nline 15\n");
    expect(existsSync(path.join(run, "w.log.3"))).toBe(false);
  });

  test("time_format stamps each line with time and pid", async () => {
    const { run, pids } = await startArbiter(log("echo a; echo b", "stdout_stream.time_format = %Y!"));
    const text = await until("both lines are there", 2_000, () => {
      const found = readFileSync(path.join(run, "w.log"), "utf8");
      return found.endsWith("b\n") && found;
    });
    const stamp = `${new Date().getFullYear()}! [${pids("w")[0]}] | `;
    expect(text).toBe(`${stamp}a\n${stamp}b\n`);
  });

  test("a log that cannot be written costs lines, not the process", async () => {
    const { arbiter, pids } = await startArbiter(
      log("echo a", "").replace("$(circus.env.RUN)/w.log", "$(circus.env.RUN)/circus.pids/w.log"),
    );
    expect(pids("w")).toHaveLength(1);
    expect(arbiter.watcher("w")?.state).toBe("active");
  });
});

describe("sockets", () => {
  /** Whoever it has accepted it answers, also when it was told to end. */
  const server = [
    "const n = require('net').createServer(s => s.end(process.pid + '\\n')).listen({ fd: $(circus.sockets.web) })",
    "process.on('SIGTERM', () => n.close())",
  ].join("; ");
  const ini = (more: string) => {
    const node = `${process.execPath} -e "${server}"`;
    return `[socket:web]\n${more}\n[watcher:w]\ncmd = ${node}\nuse_sockets = true\n`;
  };
  const ask = (to: { port: number } | { path: string }) => {
    return new Promise<string>((resolve, reject) => {
      let text = "";
      connect({ host: "127.0.0.1", ...to })
        .on("data", (chunk) => {
          text += chunk;
        })
        .on("close", () => resolve(text.trim()))
        .on("error", reject);
    });
  };

  test("connections wait while no process runs, and none is lost over a reload and a restart", async () => {
    const { arbiter, pids } = await startArbiter(ini("port = 0"));
    const port = arbiter.sockets.all[0]?.port ?? 0;
    const watcher = arbiter.watcher("w");
    expect(await ask({ port })).toBe(String(pids("w")[0]));
    const answers: Promise<string>[] = [];
    const timer = setInterval(() => answers.push(ask({ port })), 2);
    await watcher?.reload();
    await watcher?.restart();
    clearInterval(timer);
    answers.push(ask({ port }));
    const served = await Promise.all(answers);
    expect(served.filter((pid) => !/^\d+$/.test(pid))).toEqual([]);
    expect(served.at(-1)).toBe(String(pids("w")[0]));
  });

  test("unix sockets, too; the file goes with the manager", async () => {
    const run = temporaryDirectory();
    const file = path.join(run, "web.sock");
    const { arbiter, pids } = await startArbiter(ini(`path = ${file}`), {}, run);
    expect(await ask({ path: file })).toBe(String(pids("w")[0]));
    await arbiter.close();
    expect(readdirSync(run)).toEqual([]);
  });

  test("a port in use is refused by the socket's name", async () => {
    const { arbiter } = await startArbiter(ini("port = 0"));
    const port = arbiter.sockets.all[0]?.port ?? 0;
    await expect(startArbiter(ini(`port = ${port}`))).rejects.toThrow(
      /\[OS\] \[socket:web\] cannot be bound: .*EADDRINUSE/,
    );
  });
});

describe("leftovers of a manager that was killed", () => {
  function record(
    run: string,
    children: { watcher: string; pid: number; startTicks: number }[],
    mark = "m",
    boot = bootId(),
  ) {
    const manager = { pid: 2 ** 22 - 1, startTicks: 1 }; // Nobody.
    writeFileSync(path.join(run, "circus.pids"), JSON.stringify({ boot, mark, manager, children }));
  }

  async function sleeping(env: Record<string, string> = {}): Promise<{ pid: number; startTicks: number }> {
    const child = execa("sh", ["-c", "sleep 1000 & exec sleep 1000"], { detached: true, reject: false, env });
    const pid = child.pid ?? 0;
    atEnd(async () => {
      try {
        process.kill(-pid, "SIGKILL");
      } catch {
        // Gone, as it should be.
      }
      await child;
    });
    const stat = await until("its child sleeps", 2_000, () => {
      return readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim() !== "" && readStat(pid);
    });
    return { pid, startTicks: stat.startTicks };
  }

  test("are ended with their group, if pid and start time match; nobody else is", async () => {
    const run = temporaryDirectory();
    const [ours, stranger] = [await sleeping(), await sleeping()];
    const child = Number(readFileSync(`/proc/${ours.pid}/task/${ours.pid}/children`, "utf8"));
    record(run, [
      { watcher: "w", ...ours },
      { watcher: "w", pid: stranger.pid, startTicks: stranger.startTicks - 1 }, // Its pid was ours once.
    ]);
    const { ledger, ended } = await Ledger.open(run, 2_000);
    expect(ended.map((leftover) => leftover.pid).sort()).toEqual([ours.pid, child].sort());
    expect([ours.pid, child].filter(alive)).toEqual([]);
    expect(alive(stranger.pid)).toBe(true);
    ledger.close();
  });

  test("whose leader has died are known by the manager's mark", async () => {
    const run = temporaryDirectory();
    const marked = await sleeping({ [MARK_VARIABLE]: "m" });
    const unmarked = await sleeping({ [MARK_VARIABLE]: "other" });
    const childOf = ({ pid }: { pid: number }) => Number(readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8"));
    const [child, other] = [childOf(marked), childOf(unmarked)];
    process.kill(marked.pid, "SIGKILL");
    process.kill(unmarked.pid, "SIGKILL");
    await until("both leaders are gone", 2_000, () => !readStat(marked.pid) && !readStat(unmarked.pid));
    record(run, [
      { watcher: "w", ...marked },
      { watcher: "w", ...unmarked },
    ]);
    const { ledger } = await Ledger.open(run, 2_000);
    expect(alive(child)).toBe(false);
    expect(alive(other)).toBe(true);
    ledger.close();
  });

  test("can be ended from outside, for a directory that no manager will use again", async () => {
    const run = temporaryDirectory();
    const left = await sleeping();
    record(run, [{ watcher: "w", ...left }]);
    expect((await Ledger.clear(run, 2_000)).map((leftover) => leftover.pid)).toContain(left.pid);
    expect(alive(left.pid)).toBe(false);
    expect(readdirSync(run)).toEqual([]);
    expect(await Ledger.clear(run, 2_000)).toEqual([]);
  });

  test("of another boot are no leftovers", async () => {
    const run = temporaryDirectory();
    const other = await sleeping();
    record(run, [{ watcher: "w", ...other }], "m", "another-boot");
    const { ledger, ended } = await Ledger.open(run, 2_000);
    expect(ended).toEqual([]);
    expect(alive(other.pid)).toBe(true);
    ledger.close();
  });

  test.each(["", "{}", "[1]", '{"boot":1}', "\0"])(
    "a ledger that cannot be read ends nobody, and is kept: %j",
    async (text) => {
      const run = temporaryDirectory();
      writeFileSync(path.join(run, "circus.pids"), text);
      const problems: string[] = [];
      const { ledger, ended } = await Ledger.open(run, 100, (problem) => void problems.push(problem));
      expect(ended).toEqual([]);
      const kept = path.join(run, "circus.pids.unreadable");
      expect(readFileSync(kept, "utf8")).toBe(text);
      expect(problems).toEqual([expect.stringContaining(kept)]);
      ledger.close();
    },
  );

  test("are found by the mark alone: a successor in a group of its own, one that was never recorded", async () => {
    const run = temporaryDirectory();
    const [successor, stranger] = [
      await sleeping({ [MARK_VARIABLE]: "m" }),
      await sleeping({ [MARK_VARIABLE]: "other" }),
    ];
    record(run, []);
    const { ledger, ended } = await Ledger.open(run, 2_000);
    expect(ended.map(({ pid }) => pid)).toContain(successor.pid);
    expect([successor.pid, stranger.pid].map(alive)).toEqual([false, true]);
    ledger.close();
  });

  test("a second manager on the same run directory is refused while the first one lives", async () => {
    const { run } = await startArbiter(sleeper("a"));
    await expect(startArbiter(sleeper("a"), {}, run)).rejects.toMatchObject({ code: "TAKEN" });
  });

  test("of two managers that start at once, one is refused, also while the other still ends leftovers", async () => {
    const run = temporaryDirectory();
    record(run, [{ watcher: "w", ...(await sleeping()) }]);
    const both = await Promise.allSettled([startArbiter(sleeper("a"), {}, run), startArbiter(sleeper("a"), {}, run)]);
    expect(both.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
    expect(both.find(({ status }) => status === "rejected")).toMatchObject({ reason: { code: "TAKEN" } });
  });
});

test("a run directory that cannot be written keeps nothing from being started, replaced and stopped", async () => {
  const problems: string[] = [];
  const log = pino({ level: "error" }, { write: (line: string) => void problems.push(line) });
  const { arbiter, pids, run } = await startArbiter(sleeper("a"), { log });
  mkdirSync(path.join(run, "circus.pids.next")); // What is written next cannot be.
  await arbiter.watcher("a")?.set({ numprocesses: 2 });
  const [victim = 0] = pids("a");
  process.kill(victim, "SIGKILL");
  await until("it is replaced", 5_000, () => pids("a").length === 2 && !pids("a").includes(victim));
  expect(problems.filter((line) => line.includes("cannot write"))).toHaveLength(1);
  rmSync(path.join(run, "circus.pids.next"), { recursive: true });
  await until("the record is true again", 5_000, () => {
    const text = readFileSync(path.join(run, "circus.pids"), "utf8");
    return pids("a").every((pid) => text.includes(`${pid}`));
  });
  await arbiter.close();
  expect(pids("a")).toEqual([]);
});
