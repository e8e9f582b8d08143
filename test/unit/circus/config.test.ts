// What the keys of circus.ini mean, and how a wrong one is refused.

import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { type ArbiterConfig, buildConfig, CIRCUS_INI, CircusError, parseIni, readIni } from "../../../circus/index.js";
import { UNSUPPORTED } from "../../../circus/options.js";
import { temporaryDirectory } from "../../kit/circus.js";

const ENV = { HOME: "/home/pool", PORT: "3333" };

function build(text: string): ArbiterConfig {
  return buildConfig(parseIni(text, "circus.ini"), { env: ENV, runDirectory: "/run/pool" });
}

function watcher(lines: string, rest = "") {
  const [first] = build(`[watcher:w]\ncmd = run\n${lines}\n${rest}`).watchers;
  if (first === undefined) throw new Error("no watcher");
  return first;
}

function refusal(text: string): string {
  try {
    build(text);
  } catch (error) {
    if (error instanceof CircusError) return error.message;
    throw error;
  }
  throw new Error("was accepted");
}

test("defaults are Circus's, but the endpoints are unix sockets in the run directory", () => {
  const config = build("[watcher:w]\ncmd = run");
  expect(config).toMatchObject({
    endpoint: "ipc:///run/pool/circus.sock",
    pubsub_endpoint: "ipc:///run/pool/circus-events.sock",
    stats_endpoint: undefined,
    check_delay: 5,
    warmup_delay: 0,
  });
  expect(config.watchers[0]).toMatchObject({
    ...{ numprocesses: 1, graceful_timeout: 30, stop_signal: "SIGTERM", max_retry: 5, respawn: true, autostart: true },
    ...{ copy_env: false, env: {}, priority: 0, singleton: false, stop_children: false },
  });
});

test.each([
  ["numprocesses = 3", { numprocesses: 3 }],
  ["graceful_timeout = 0.5", { graceful_timeout: 0.5 }],
  ["stop_signal = INT", { stop_signal: "SIGINT" }],
  ["stop_signal = sigusr1", { stop_signal: "SIGUSR1" }],
  ["stop_signal = 9", { stop_signal: "SIGKILL" }],
  ["respawn = False", { respawn: false }],
  ["singleton = 1", { singleton: true }],
  ["args = -a 'b c'", { args: ["-a", "b c"] }],
  ["max_retry = -1", { max_retry: -1 }],
  ["rlimit_nofile = 4096", { rlimits: { nofile: 4096 } }],
  ["rlimit_core =", { rlimits: { core: undefined } }],
  ["env.A = 1", { env: { A: "1" } }],
  ["working_dir = $(circus.env.HOME)/x", { working_dir: "/home/pool/x" }],
  ["args = --port ((circus.env.port))", { args: ["--port", "3333"] }],
  ["args = --id $(circus.wid)", { args: ["--id", "$(circus.wid)"] }],
  [
    "stdout_stream.class = FileStream\nstdout_stream.filename = a.log\nstdout_stream.max_bytes = 10\nstdout_stream.time_format = %Y",
    { stdout_stream: { class: "FileStream", filename: "a.log", max_bytes: 10, backup_count: 0, time_format: "%Y" } },
  ],
])("%s", (lines, expected) => {
  expect(watcher(lines)).toMatchObject(expected);
});

describe("environment", () => {
  test("a byte-order mark is no part of the first section; [env:x] may name what the manager has, without copy_env", () => {
    const text = "\ufeff[watcher:w]\ncmd = x\n[env:w]\nPATH = /opt:$PATH\nHERE = $(circus.env.PATH)";
    const { watchers } = buildConfig(parseIni(text, "circus.ini"), {
      env: { PATH: "/bin" },
      runDirectory: "/run/pool",
    });
    expect(watchers[0]?.env).toEqual({ PATH: "/opt:/bin", HERE: "/opt:/bin" });
  });

  test("[env] goes to every watcher; [env:globs] to those whose name matches, in the order of the file", () => {
    const text = `[env]\nA = 1\n[env:w*,x]\nA = 2\nB = $(circus.env.A)3\n[env:other]\nC = 4`;
    expect(watcher("", text).env).toEqual({ A: "2", B: "23" });
  });

  test("copy_env adds the manager's own; [env] may extend it by $NAME", () => {
    expect(watcher("copy_env = true", "[env]\nHOME = $HOME/sub").env).toEqual({ HOME: "/home/pool/sub", PORT: "3333" });
    expect(watcher("", "[env]\nHOME = $HOME/sub").env).toEqual({ HOME: "/home/pool/sub" });
  });
});

test.each([
  ["numprocesses = two", 'numprocesses: found "two"; accepted: an integer from 0 to 1000'],
  ["numprocesses = -1", "accepted: an integer from 0 to 1000"],
  ["stop_signal = SIGNOPE", 'stop_signal: found "SIGNOPE"; accepted: a signal by name or number'],
  ["respawn = maybe", 'respawn: found "maybe"; accepted: true or false'],
  ["graceful-timeout = 3", "graceful-timeout: unknown option; did you mean graceful_timeout?"],
  ["NumProcesses = 3", "NumProcesses: unknown option; did you mean numprocesses?"],
  ["colour = red", "colour: unknown option; accepted: cmd, args,"],
  ["hooks.before_start = pool.hooks.start", "hooks.before_start: not supported: it names Python code"],
  ["uid = pool", "uid: not supported: start the manager as that user"],
  ["rlimit_nonsense = 3", "rlimit_nonsense: unknown option"],
  ["stdout_stream.class = TimedRotatingFileStream", "accepted: FileStream or StdoutStream"],
  ["stdout_stream.class = FileStream", "a FileStream needs a filename"],
  ["stdout_stream.colour = red", "stdout_stream.colour: unknown option"],
  ["stdout_stream.class = StdoutStream\nstdout_stream.time_format = %Q", "accepted: text with strftime's"],
  ["singleton = true\nnumprocesses = 2", "a singleton has at most one process"],
  ["working_dir = $(circus.env.NOPE)", "$(circus.env.NOPE) has no value here"],
  ["args = 'open", "is not closed"],
  ["use_sockets = true", "there is no [socket:NAME] section"],
])("refused with file, line, key and what is accepted: %s", (lines, expected) => {
  const message = refusal(`[watcher:w]\ncmd = run\n${lines}`);
  expect(message).toContain(expected);
  expect(message).toMatch(/circus\.ini:\d+: \[watcher:w\]|use_sockets/);
});

test.each([
  ["[plugin:flapping]\nuse = circus.plugins.flapping.Flapping", "plugins are Python code"],
  ["[nonsense]\nx = 1", "[nonsense]: unknown section"],
  ["[circus]\nhttpd = true", "httpd: not supported: there is no web console"],
  ["[circus]\nmulticast_endpoint = udp://237.219.251.97:12027", "multicast_endpoint"],
  ["[watcher:w]\nnumprocesses = 1", "cmd is missing"],
  ["[watcher:w]\ncmd = a\n[watcher:W]\ncmd = b", "differs from [watcher:w] only in case"],
  ["[watcher:w]\ncmd = run 'x", "[watcher:w], cmd: a ' is not closed"],
  ["[watcher:w]\ncmd = run $(circus.sockets.web)", "[watcher:w], cmd: $(circus.sockets.web) has no value here"],
  ["[socket:s]\nhost = 127.0.0.1", "needs a port, or a path"],
  ["[socket:s]\nport = 1\nso_reuseport = true", "so_reuseport: not supported"],
])("refused: %s", (text, expected) => {
  expect(refusal(text)).toContain(expected);
});

test("all mistakes of a file are reported together", () => {
  const message = refusal("[watcher:w]\ncmd = run\nnumprocesses = x\nrespawn = y\n[plugin:p]\n[watcher:v]");
  expect(message.split("\n")).toHaveLength(4);
});

test("every unsupported option is refused by name, with its reason", () => {
  for (const [name, reason] of Object.entries(UNSUPPORTED)) {
    const key = name.endsWith(".") ? `${name}x` : name;
    expect(refusal(`[watcher:w]\ncmd = run\n${key} = 1`)).toContain(`${key}: not supported: ${reason}`);
  }
});

test("whatever the options say, only a CircusError comes out", () => {
  const key = fc.constantFrom(
    "cmd",
    "args",
    "numprocesses",
    "stop_signal",
    "env.X",
    "rlimit_nofile",
    "stdout_stream.class",
    "port",
  );
  const value = fc.oneof(fc.string(), fc.constantFrom("$(circus.wid)", "$(circus.env.X)", "((circus.))", "1", "'"));
  const section = fc.constantFrom("watcher:w", "socket:s", "env", "env:[", "circus", "plugin:p");
  fc.assert(
    fc.property(fc.array(fc.tuple(section, key, value), { maxLength: 8 }), (triples) => {
      const text = triples
        .map(([name, option, found]) => `[${name}]\n${option} = ${found.replace(/[\r\n]/g, "")}`)
        .join("\n");
      try {
        build(text);
      } catch (error) {
        expect(error).toBeInstanceOf(CircusError);
      }
    }),
    { numRuns: 300 },
  );
});

describe("include", () => {
  test("files, globs and directories relative to the file; the main file's keys win", () => {
    const directory = temporaryDirectory();
    mkdirSync(path.join(directory, "conf.d"));
    const main = path.join(directory, "main.ini");
    writeFileSync(main, "[circus]\ninclude = one*.ini\ninclude_dir = conf.d\n[watcher:a]\ncmd = main");
    writeFileSync(path.join(directory, "one1.ini"), "[watcher:a]\ncmd = included\nargs = x");
    writeFileSync(path.join(directory, "conf.d", "two.ini"), "[watcher:b]\ncmd = two");
    const config = buildConfig(readIni(main), { env: ENV, runDirectory: directory });
    expect(config.watchers.map(({ name, cmd, args }) => [name, cmd, args])).toEqual([
      ["a", "main", ["x"]],
      ["b", "two", []],
    ]);
  });

  test.each([["include = nope*.ini"], ["include = nope.ini"], ["include_dir = nope"]])(
    "%s leads nowhere: an error",
    (line) => {
      const main = path.join(temporaryDirectory(), "main.ini");
      writeFileSync(main, `[circus]\n${line}`);
      expect(() => readIni(main)).toThrow(CircusError);
    },
  );
});

test("the pool's own circus.ini is accepted, and starts the door last; the dashboard, which only looks, comes after it", () => {
  const env = Object.fromEntries(
    ["RUN", "SOCKETS", "CONFIG", "NODE", "BIN", "KEEPER", "WITNESS"].map((name) => [`HEADFRAME_${name}`, `/x/${name}`]),
  );
  const { watchers } = buildConfig(readIni(CIRCUS_INI), { env, runDirectory: "/run/pool" });
  const order = [...watchers].sort((a, b) => b.priority - a.priority);
  expect(order.map(({ name, numprocesses }) => `${name} ${numprocesses}`)).toEqual([
    ...["reporter 2", "jobmanager 2", "stratum 2", "keeper 1", "haproxy-controller 1", "haproxy 1", "dashboard 1"],
  ]);
});
