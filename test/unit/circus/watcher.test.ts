// Watchers with real child processes: what happens when they end, are stopped, or are replaced.

import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, jest, test } from "@jest/globals";
import { execa } from "execa";
import type { Death } from "../../../circus/index.js";
import { groupMembers, readStat } from "../../../circus/proc.js";
import { Child } from "../../../circus/process.js";
import { alive, groupAlive, startArbiter, temporaryDirectory } from "../../kit/circus.js";
import { atEnd } from "../../kit/cleanup.js";
import { until } from "../../kit/until.js";

const SLEEP = "exec sleep 1000";
/** Ends within a second of SIGTERM whatever its children do; PIDFILE gets its child's pid. */
const WITH_CHILD = "sleep 1000 & echo $! > $(circus.env.RUN)/child; wait";
const DEAF = "trap '' TERM; while :; do sleep 0.05; done";

function shell(name: string, script: string, more = ""): string {
  return `[watcher:${name}]\nshell = true\ncmd = ${script}\ncopy_env = true\n${more}\n`;
}

async function first(pids: () => readonly number[]): Promise<number> {
  return until("a process runs", 3_000, () => pids()[0]);
}

describe("a process that ends unasked", () => {
  test("is replaced within 100 ms of its death when it had lived, by another pid", async () => {
    const { arbiter, pids, events } = await startArbiter(shell("w", SLEEP));
    const old = await first(() => pids("w"));
    const at = Date.now();
    process.kill(old, "SIGKILL");
    const fresh = await until("another process runs", 2_000, () => pids("w").find((pid) => pid !== old));
    const spawned = events.findLast((event) => event.topic === "spawn");
    // It died young, so the first wait is 50 to 100 ms; the rest is ours.
    expect((spawned?.body.time ?? 0) * 1_000 - at).toBeLessThan(300);
    expect(alive(fresh)).toBe(true);
    expect(arbiter.status()[0]).toMatchObject({ status: "active", restarts: 1, gaveUp: undefined });
    expect(events.find((event) => event.topic === "reap")?.body).toMatchObject({ process_pid: old, exit_code: -9 });
  });

  test("takes its whole process group with it, before its death is certified", async () => {
    const deaths: (Death & { left: number })[] = [];
    const onDeath = (death: Death) => void deaths.push({ ...death, left: groupMembers(death.pid).length });
    const { pids, run } = await startArbiter(shell("w", WITH_CHILD), { onDeath });
    const leader = await first(() => pids("w"));
    const child = await until("its child runs", 2_000, () => Number(readFileSync(path.join(run, "child"), "utf8")));
    const startTicks = readStat(leader)?.startTicks;
    process.kill(leader, "SIGKILL");
    await until("the death is certified", 2_000, () => deaths.length > 0);
    const how = { exitCode: null, signal: "SIGKILL", asked: false, left: 0 };
    expect(deaths[0]).toEqual({ watcher: "w", pid: leader, startTicks, ...how });
    expect(alive(child)).toBe(false);
  });

  test("is not replaced without respawn", async () => {
    const { arbiter, pids, events } = await startArbiter(shell("w", "sleep 0.1; exit 3", "respawn = false"));
    await until("it has ended", 2_000, () => events.some((event) => event.topic === "reap"));
    expect(events.find((event) => event.topic === "reap")?.body.exit_code).toBe(3);
    expect(pids("w")).toEqual([]);
    expect(arbiter.status()[0]?.restarts).toBe(0);
  });

  test("too often makes the watcher give up and say why, with the last words", async () => {
    const { arbiter, events } = await startArbiter(shell("w", "echo no database; exit 1", "max_retry = 2"), {
      random: () => 0,
    });
    const stop = await until("it gave up", 3_000, () => events.find((event) => event.topic === "stop"));
    expect(stop.body.reason).toContain("gave up (3 deaths within 60 s, max_retry is 2)");
    expect(stop.body.reason).toContain("no database");
    expect(arbiter.status()[0]).toMatchObject({ status: "stopped", restarts: 2, processes: [] });
    expect(arbiter.status()[0]?.gaveUp).toContain("gave up");
    expect(events.filter((event) => event.topic === "spawn")).toHaveLength(3);
  });

  test("and a watcher that gave up starts again when told to", async () => {
    const directory = temporaryDirectory();
    const flag = path.join(directory, "ok");
    const { arbiter, pids, events } = await startArbiter(
      shell("w", `test -e ${flag} && exec sleep 1000; exit 1`, "max_retry = 0"),
    );
    await until("it gave up", 3_000, () => events.some((event) => event.topic === "stop"));
    writeFileSync(flag, "");
    await arbiter.watcher("w")?.start();
    expect(pids("w")).toHaveLength(1);
    expect(arbiter.status()[0]?.gaveUp).toBeUndefined();
  });
});

describe("stop", () => {
  test("sends stop_signal, and SIGKILL to the whole group after graceful_timeout", async () => {
    const { arbiter, pids, events } = await startArbiter(
      shell("w", DEAF, "graceful_timeout = 0.3\nwarmup_delay = 0.2"),
    );
    const pid = await first(() => pids("w"));
    const at = Date.now();
    await arbiter.watcher("w")?.stop();
    expect(Date.now() - at).toBeGreaterThanOrEqual(290);
    expect(groupAlive(pid)).toBe(false);
    expect(events.map((event) => event.topic)).toEqual(["add", "spawn", "start", "kill", "reap", "stop"]);
    expect(events.find((event) => event.topic === "reap")?.body.exit_code).toBe(-9);
  });

  test("a process that listens gets to finish its work", async () => {
    const file = path.join(temporaryDirectory(), "bye");
    const script = `trap 'echo bye > ${file}; exit 0' INT; while :; do sleep 0.02; done`;
    const { arbiter, events } = await startArbiter(shell("w", script, "stop_signal = INT\nwarmup_delay = 0.2"));
    await arbiter.watcher("w")?.stop();
    expect(readFileSync(file, "utf8")).toBe("bye\n");
    expect(events.find((event) => event.topic === "reap")?.body.exit_code).toBe(0);
  });

  test("with stop_children the signal goes to the whole group", async () => {
    const file = path.join(temporaryDirectory(), "child-bye");
    const child = `sh -c 'trap "echo bye > ${file}; exit" TERM; while :; do sleep 0.02; done'`;
    const script = `trap 'wait; exit' TERM; ${child} & wait`;
    const { arbiter } = await startArbiter(shell("w", script, "stop_children = true\nwarmup_delay = 0.3"));
    await arbiter.watcher("w")?.stop();
    expect(readFileSync(file, "utf8")).toBe("bye\n");
  });

  test.each(["true", "false"])(
    "what a shell leaves behind has the rest of graceful_timeout, stop_children = %s",
    async (children) => {
      const file = path.join(temporaryDirectory(), "child-bye");
      const child = `sh -c 'trap "sleep 0.3; echo bye > ${file}; exit" TERM; echo up > ${file}; while :; do sleep 0.02; done'`;
      const { arbiter } = await startArbiter(
        shell("w", `${child} & wait`, `stop_children = ${children}\ngraceful_timeout = 20`),
      );
      await until("the program runs", 5_000, () => readFileSync(file, "utf8") === "up\n");
      await arbiter.watcher("w")?.stop();
      expect(readFileSync(file, "utf8")).toBe("bye\n");
    },
  );

  test("of a process that ended in time sends nothing later: its number may be another's", async () => {
    const child = await Child.start({
      ...{ words: ["sleep", "1000"], env: {}, cwd: undefined, wid: 1, sockets: [], closeStdin: true },
      ...{ stdout: undefined, stderr: undefined },
    });
    await child.stop({ signal: "SIGTERM", gracefulMs: 30_000, children: false });
    const kill = jest.spyOn(process, "kill");
    atEnd(() => kill.mockRestore());
    expect([child.signal("SIGTERM"), child.signalGroup("SIGTERM")]).toEqual([false, false]);
    expect(kill).not.toHaveBeenCalled();
  });

  test("of a process that ended in time leaves no timer", async () => {
    const module = new URL("../../../circus/process.js", import.meta.url).href;
    const spec = `{ words: ["sleep", "1000"], env: {}, wid: 1, sockets: [], closeStdin: true }`;
    const program = `const { Child } = await import(${JSON.stringify(module)}); const child = await Child.start(${spec});
      await child.stop({ signal: "SIGTERM", gracefulMs: 60_000, children: false });`;
    const done = await execa(process.execPath, ["--input-type=module", "-e", program], {
      reject: false,
      timeout: 15_000,
    });
    expect(done).toMatchObject({ exitCode: 0, timedOut: false });
  });

  test("does not wait behind a start that waits for readiness", async () => {
    const never = (_watcher: string, _pid: number, signal: AbortSignal) => {
      return new Promise<void>((_resolve, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
    };
    const { arbiter, pids } = await startArbiter(shell("w", SLEEP, "ready = true\nautostart = false"), {
      readiness: never,
    });
    const start = arbiter.watcher("w")?.start();
    const refused = expect(start).rejects.toMatchObject({ code: "REFUSED" });
    await first(() => pids("w"));
    await arbiter.watcher("w")?.stop();
    await refused;
    expect(arbiter.watcher("w")?.state).toBe("stopped");
  });
});

describe("readiness", () => {
  test("a watcher has started when each of its processes is ready", async () => {
    const asked: number[] = [];
    const readiness = async (_watcher: string, pid: number) => void asked.push(pid);
    const { arbiter, pids } = await startArbiter(shell("w", SLEEP, "ready = true\nnumprocesses = 2"), { readiness });
    expect(asked).toEqual(pids("w"));
    expect(arbiter.status()[0]?.processes.map((child) => child.state)).toEqual(["ready", "ready"]);
  });

  test("one that is not ready in time is reported with its last lines, and runs on", async () => {
    const troubles: string[] = [];
    const { arbiter, pids } = await startArbiter(
      shell("w", `echo waiting for godot; ${SLEEP}`, "ready = true\nready_timeout = 0.3"),
      {
        readiness: () => new Promise(() => undefined),
        onOpen: (opened) => opened.on("trouble", (_watcher, error) => troubles.push(error.message)),
      },
    );
    expect(troubles).toHaveLength(1);
    expect(troubles[0]).toMatch(
      /\[NOT_READY\] w: process \d+ did not become ready within 0.3 s. Its last lines:\nwaiting for godot/,
    );
    expect(pids("w")).toHaveLength(1);
    expect(arbiter.watcher("w")?.state).toBe("active");
  });

  test("a program that does not exist is an OS error, and nothing runs", async () => {
    const troubles: string[] = [];
    const { arbiter } = await startArbiter("[watcher:w]\ncmd = /nonexistent/program", {
      onOpen: (opened) => opened.on("trouble", (_watcher, error) => troubles.push(error.message)),
    });
    expect(troubles[0]).toContain('[OS] cannot start "/nonexistent/program"');
    expect(arbiter.watcher("w")?.state).toBe("stopped");
  });
});

describe("reload", () => {
  /** Lines "pid up" and "pid down"; a process is ready when the file that names it exists. */
  test("replaces one process at a time, and never has fewer ready ones than numprocesses", async () => {
    const ready: number[] = [];
    const { arbiter, pids, events } = await startArbiter(shell("w", SLEEP, "ready = true\nnumprocesses = 3"), {
      readiness: async (_watcher, pid) => {
        await new Promise((resolve) => setTimeout(resolve, 30));
        ready.push(pid);
      },
    });
    const before = [...pids("w")];
    let fewest = 3;
    arbiter.on("event", ({ topic }) => {
      const left = arbiter.watcher("w")?.crew.ready.length ?? 0;
      if (topic === "reap" || topic === "kill") fewest = Math.min(fewest, left);
    });
    const change = await arbiter.watcher("w")?.reload();
    expect(change?.stopped).toEqual(before);
    expect(change?.started).toHaveLength(3);
    expect(fewest).toBe(3);
    const steps = events.slice(events.findIndex((event) => event.topic === "start") + 1).map((event) => event.topic);
    const one = ["spawn", "ready", "kill", "reap"];
    expect(steps).toEqual([...one, ...one, ...one, "reload"]);
  });

  test("stops at a new process that does not become ready; the old one stays", async () => {
    let good = true;
    const { arbiter, pids } = await startArbiter(shell("w", SLEEP, "ready = true\nready_timeout = 0.2"), {
      readiness: () => (good ? Promise.resolve() : new Promise(() => undefined)),
    });
    const before = [...pids("w")];
    good = false;
    await expect(arbiter.watcher("w")?.reload()).rejects.toMatchObject({ code: "NOT_READY" });
    expect(pids("w")).toEqual(before);
  });

  test("the reason says what the new process still waited for", async () => {
    let good = true;
    const { arbiter } = await startArbiter(shell("w", SLEEP, "ready = true\nready_timeout = 0.2"), {
      readiness: async (_watcher, _pid, _signal, waitsFor) => {
        if (good) return;
        waitsFor("its first job");
        await new Promise(() => undefined);
      },
    });
    good = false;
    await expect(arbiter.watcher("w")?.reload()).rejects.toThrow(/within 0.2 s; it waits for its first job/);
  });

  test("with options that break a later process, those that had them already are taken back", async () => {
    const { arbiter, pids } = await startArbiter(shell("w", "exec sleep 1000", "ready = true\nnumprocesses = 3"), {
      readiness: (_watcher, pid) => {
        return pids("w").indexOf(pid) >= 0 && arbiter.watcher("w")?.config.cmd.includes("2000") && spawned++ > 0
          ? Promise.reject(new Error("it answers nonsense"))
          : Promise.resolve();
      },
    });
    let spawned = 0;
    const before = pids("w");
    const changes = { cmd: "exec sleep 2000" };
    await expect(arbiter.watcher("w")?.reload({ changes })).rejects.toThrow("it answers nonsense");
    expect(pids("w")).toHaveLength(3);
    expect(pids("w").filter((pid) => before.includes(pid))).toHaveLength(2);
    const lines = await Promise.all(pids("w").map((pid) => readFileSync(`/proc/${pid}/cmdline`, "utf8")));
    expect(lines.filter((line) => line.includes("2000"))).toEqual([]);
    expect(arbiter.watcher("w")?.config.cmd).toBe("exec sleep 1000");
  });

  test("does not take a version that dies soon after it was ready", async () => {
    const { arbiter, pids, events } = await startArbiter(
      shell("w", SLEEP, "ready = true\nnumprocesses = 2\nsettle = 10"),
      {
        readiness: () => Promise.resolve(),
      },
    );
    const before = [...pids("w")];
    const reload = arbiter.watcher("w")?.reload({ changes: { cmd: "sleep 0.5; echo no disk; exit 1" } });
    await expect(reload).rejects.toThrow(/ended within 10 s after it was ready. It said:\nno disk/);
    expect(pids("w")).toEqual(before);
    expect(events.filter(({ topic }) => topic === "kill")).toEqual([]); // No old one was told to end.
    expect(arbiter.watcher("w")?.config.cmd).toBe(SLEEP);
  });

  test("waits for the first new process only to settle", async () => {
    const { arbiter, pids } = await startArbiter(shell("w", SLEEP, "ready = true\nnumprocesses = 3\nsettle = 0.5"), {
      readiness: () => Promise.resolve(),
    });
    const before = [...pids("w")];
    const at = performance.now();
    await arbiter.watcher("w")?.reload();
    expect(performance.now() - at).toBeGreaterThanOrEqual(500);
    expect(performance.now() - at).toBeLessThan(1_500); // Three times would be more.
    expect(pids("w").filter((pid) => before.includes(pid))).toEqual([]);
  });

  test("that is taken back keeps what was set meanwhile", async () => {
    let good = true;
    const { arbiter, pids } = await startArbiter(shell("w", SLEEP, "ready = true"), {
      readiness: () => (good ? Promise.resolve() : new Promise(() => undefined)),
    });
    good = false;
    const reload = arbiter.watcher("w")?.reload({ changes: { cmd: "exit 1" } });
    const set = arbiter.watcher("w")?.set({ numprocesses: 2 });
    await expect(reload).rejects.toMatchObject({ code: "NOT_READY" });
    good = true;
    await set;
    expect(arbiter.watcher("w")?.config).toMatchObject({ numprocesses: 2, cmd: SLEEP });
    await until("the number comes true", 5_000, () => pids("w").length === 2);
  });

  test("of one process leaves the others alone", async () => {
    const { arbiter, pids } = await startArbiter(shell("w", SLEEP, "numprocesses = 3"));
    const [, second, ...before] = pids("w");
    const change = await arbiter.watcher("w")?.reload({ pid: second });
    expect(change?.stopped).toEqual([second]);
    expect(pids("w")).toEqual(expect.arrayContaining(before));
    await expect(arbiter.watcher("w")?.reload({ pid: 1 })).rejects.toMatchObject({ code: "NOT_FOUND" });
  });

  test("a singleton never has two processes", async () => {
    const { arbiter, pids, events } = await startArbiter(shell("w", SLEEP, "singleton = true"));
    const [before] = pids("w");
    await arbiter.watcher("w")?.reload();
    expect(pids("w")).toHaveLength(1);
    expect(pids("w")[0]).not.toBe(before);
    const steps = events.map((event) => event.topic);
    expect(steps).toEqual(["add", "spawn", "start", "kill", "reap", "spawn", "reload"]);
  });

  test("with send_hup the processes stay and get a SIGHUP", async () => {
    const file = path.join(temporaryDirectory(), "hup");
    const script = `trap 'echo hup > ${file}' HUP; echo; while :; do sleep 0.02; done`;
    const { arbiter, pids } = await startArbiter(shell("w", script, "send_hup = true\nwarmup_delay = 0.2"));
    const before = [...pids("w")];
    await arbiter.watcher("w")?.reload();
    await until("the SIGHUP has come", 2_000, () => readFileSync(file, "utf8") === "hup\n");
    expect(pids("w")).toEqual(before);
  });
});

test("a process that retires is not replaced: there is one fewer", async () => {
  const { arbiter, pids } = await startArbiter(shell("w", SLEEP, "numprocesses = 3"));
  const [first, second, third] = pids("w");
  await arbiter.watcher("w")?.retire(Number(second));
  expect(pids("w")).toEqual([first, third]);
  expect(arbiter.watcher("w")?.config.numprocesses).toBe(2);
});

describe("a process that starts its own successor and ends", () => {
  /** Starts an heir on SIGUSR2, as the keeper does, and ends when it runs. The heir says a line now and then. */
  const parent = (sign: string): string => {
    const heir = `touch ${sign}; while :; do echo heir; sleep 0.05; done`;
    const succeed = `HEADFRAME_SUCCEEDS=$$ setsid /bin/sh -c "${heir}" & while [ ! -e ${sign} ]; do sleep 0.02; done; exit 0`;
    return `trap '${succeed}' USR2; while :; do sleep 0.02; done`;
  };

  async function succeeded() {
    const sign = path.join(temporaryDirectory(), "here");
    const it = await startArbiter(shell("w", parent(sign), "warmup_delay = 0.2"));
    const [old] = it.pids("w");
    process.kill(Number(old), "SIGUSR2");
    const heir = await until("the heir is in its place", 3_000, () => it.pids("w").find((pid) => pid !== old));
    return { ...it, old, heir };
  }

  test("is followed by it: nothing else is started, and its words are heard on", async () => {
    const { arbiter, pids, heir, events } = await succeeded();
    expect(pids("w")).toEqual([heir]);
    expect(events.filter(({ topic }) => topic === "spawn")).toHaveLength(2);
    expect(arbiter.status()[0]?.restarts).toBe(0);
    await until("it is heard", 2_000, () => arbiter.watcher("w")?.crew.member(heir)?.tail.lines.includes("heir"));
  });

  test("and when the successor dies, that is seen and it is replaced", async () => {
    const { pids, heir } = await succeeded();
    process.kill(heir, "SIGKILL");
    await until("another one runs", 3_000, () => pids("w").length === 1 && pids("w")[0] !== heir);
  });

  test("a stop ends the successor", async () => {
    const { arbiter, pids, heir } = await succeeded();
    await arbiter.watcher("w")?.stop();
    expect(pids("w")).toEqual([]);
    expect(alive(heir)).toBe(false);
  });
});

test("max_age replaces a process, the new one first", async () => {
  const { pids, events } = await startArbiter(shell("w", SLEEP, "max_age = 1\nmax_age_variance = 0"));
  const [before] = pids("w");
  await until("it was replaced", 4_000, () => pids("w").length === 1 && pids("w")[0] !== before);
  expect(events.map((event) => event.topic)).toEqual(["add", "spawn", "start", "spawn", "kill", "reap"]);
});

test("limits, working directory, environment and number reach the process", async () => {
  const run = temporaryDirectory();
  const script = `echo "$(ulimit -n) $(pwd) $X $(circus.wid)" > ${run}/out.$(circus.wid); ${SLEEP}`;
  const ini = `[watcher:w]\nshell = true\ncmd = ${script}\nnumprocesses = 2\nrlimit_nofile = 321\nworking_dir = /usr\nenv.X = x\nenv.PATH = $(circus.env.PATH)`;
  const { pids } = await startArbiter(ini.replace("$(circus.env.PATH)", process.env.PATH ?? ""), {}, run);
  const lines = await until("both have written", 3_000, () => {
    return (
      [1, 2].map((wid) => readFileSync(`${run}/out.${wid}`, "utf8")).filter((line) => line.endsWith("\n")).length === 2
    );
  }).then(() => [1, 2].map((wid) => readFileSync(`${run}/out.${wid}`, "utf8")));
  expect(lines).toEqual(["321 /usr x 1\n", "321 /usr x 2\n"]);
  const [pid = 0] = pids("w");
  expect(readStat(pid)?.group).toBe(pid); // prlimit and the shell became the program: the pid is the leader's.
});
