// The manager as a program: node dist/circus/main.js FILE
//
//   read and check FILE, load its witness -> Arbiter.open -> a signal, or the command `quit` -> Arbiter.close -> a natural exit
//
// Exit codes: 0 stopped as asked, 1 failed, 2 the file is wrong (nothing was started).

import path from "node:path";
import { fileURLToPath } from "node:url";
import { pino } from "pino";
import { standardLines } from "../lib/log/index.js";
import { errorForLog } from "../lib/thrown.js";
import { Arbiter } from "./arbiter.js";
import { type ArbiterConfig, buildConfig } from "./config.js";
import type { Death } from "./crew.js";
import { CircusError, reasonOf } from "./errors.js";
import { readIni } from "./include.js";
import { IniError } from "./ini.js";
import { loadWitness } from "./witness.js";

const USAGE = `usage: node dist/circus/main.js FILE

Runs what FILE (a circus.ini) describes until SIGTERM, SIGINT or the command quit.
HEADFRAME_RUN  directory of its sockets and of circus.pids; default: run, below the working directory
LOG_LEVEL      of the manager itself; default: info

circus/circus.ini says which further variables the pool's own file needs.
`;

/** Compiled, this module is dist/circus/main.js. */
const DIST = fileURLToPath(new URL("..", import.meta.url));

type Env = Readonly<Record<string, string | undefined>>;

function load(file: string): { config: ArbiterConfig; env: Env } {
  const runDirectory = path.resolve(process.env.HEADFRAME_RUN ?? "run");
  const defaults = {
    HEADFRAME_SOCKETS: runDirectory,
    HEADFRAME_NODE: process.execPath,
    HEADFRAME_BIN: path.join(DIST, "bin/headframe.js"),
    HEADFRAME_KEEPER: path.join(DIST, "services/keeper/main.js"),
    HEADFRAME_WITNESS: path.join(DIST, "bin/witness.js"),
  };
  const env = { ...defaults, ...process.env, HEADFRAME_RUN: runDirectory };
  return { config: buildConfig(readIni(file), { env, runDirectory }), env };
}

async function run({ config, env }: ReturnType<typeof load>): Promise<void> {
  const witness = config.witness === undefined ? undefined : await loadWitness(config.witness, env);
  const level = process.env.LOG_LEVEL ?? "info";
  const log = pino({ name: "circus", level, serializers: { err: errorForLog } }, standardLines(1));
  const asked = new AbortController();
  let closed: Promise<void> | undefined;
  let close: (() => Promise<void>) | undefined;
  const stop = (signal: NodeJS.Signals): void => {
    log.info(`${signal}: stopping all watchers`);
    asked.abort();
    void close?.();
  };
  // On a terminal it means that the terminal is closed. Elsewhere somebody takes us for a daemon that opens its logs again by it.
  const hungUp = (signal: NodeJS.Signals): void => {
    if (process.stdin.isTTY || process.stdout.isTTY) stop(signal);
    else
      log.info("SIGHUP: goes on; log files that were moved are noticed without it, `reload` restarts what is watched");
  };
  process.on("SIGTERM", stop).on("SIGINT", stop).on("SIGHUP", hungUp);
  const onOpen = (arbiter: Arbiter): void => {
    closed = new Promise((resolve) => arbiter.once("closed", resolve));
    close = () => arbiter.close();
  };
  try {
    const knows = witness && { readiness: witness.ready, onDeath: (death: Death) => witness.died(death) };
    await Arbiter.open(config, { log, output: "inherit", signal: asked.signal, onOpen, ...knows });
    log.info({ endpoint: config.endpoint }, "started");
    await closed;
  } catch (error) {
    if (!asked.signal.aborted) throw error;
  } finally {
    await witness?.close();
    process.off("SIGTERM", stop).off("SIGINT", stop).off("SIGHUP", hungUp);
  }
}

async function main(file: string | undefined): Promise<number> {
  if (file === undefined || file.startsWith("-")) {
    standardLines(2).write(USAGE);
    return file === "--help" || file === "-h" ? 0 : 2;
  }
  try {
    await run(load(file));
    return 0;
  } catch (error) {
    standardLines(2).write(`${reasonOf(error)}\n`);
    return error instanceof IniError || (error instanceof CircusError && error.code === "BAD_OPTION") ? 2 : 1;
  }
}

process.exitCode = await main(process.argv[2]);
