// headframe up: a whole pool on this machine, until Ctrl-C or for a number of seconds.
//
//   no configuration -> the embedded default: private Redis, litecoind pair on regtest, demo miner (bin/up/embedded.ts)
//   --config FILE    -> the operator's Redis and daemons
//
//   run directory -> Pool (bin/up/pool.ts) -> live screen or lines -> summary -> everything stopped, only logs left

import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { pino } from "pino";
import type { CommandModule } from "yargs";
import { readIni } from "../../circus/index.js";
import { loadConfig } from "../../lib/config/index.js";
import { openLogFile } from "../../lib/log/index.js";
import { errorForLog } from "../../lib/thrown.js";
import type { Log } from "../../lib/wiring/index.js";
import { configOptions, configSchema, readConfig } from "../config.js";
import { checkSeconds, UsageError } from "../failure.js";
import { RUNS } from "../paths.js";
import { MissingSection } from "../services.js";
import { type Embedded, prepareEmbedded } from "../up/embedded.js";
import { Pool } from "../up/pool.js";
import { createRunDirectory, type RunDirectory } from "../up/run-directory.js";
import { logged, openShow, type Show } from "../up/show.js";
import { measure } from "../up/summary.js";
import { Watch } from "../up/watch.js";

interface Arguments {
  readonly config: string | undefined;
  readonly set: readonly string[];
  readonly circus: string | undefined;
  readonly for: number | undefined;
  readonly summary: string | undefined;
}

export const up: CommandModule<object, Arguments> = {
  command: "up",
  describe:
    "Run a whole pool on this machine; without --config also Redis, coin daemons and a demo miner (`npm start`)",
  builder: (yargs) =>
    yargs
      .options({
        ...configOptions,
        config: {
          ...configOptions.config,
          describe: "Configuration with your own Redis and coin daemons (TOML). Default: start embedded ones",
        },
        circus: {
          type: "string",
          requiresArg: true,
          describe: "Configuration of the process manager. Default: circus/circus.ini",
        },
        for: { type: "number", requiresArg: true, describe: "Stop after this many seconds" },
        summary: {
          type: "string",
          requiresArg: true,
          describe: "Write a JSON summary to this file (only without --config)",
        },
      })
      .example("npm start", "a pool on a private chain, with a demo miner")
      .example("npm start -- --for 60 --summary run/out.json", "the same, unattended")
      .example("npm start -- --config headframe.toml", "on your own Redis and coin daemons"),
  handler: async (args) => {
    checkSeconds("--for", args.for);
    if (args.summary !== undefined && args.config !== undefined) {
      throw new UsageError("--summary counts what the demo miner saw; the demo miner runs only without --config");
    }
    const asked = new AbortController();
    const stop = () => asked.abort();
    process.on("SIGINT", stop).on("SIGTERM", stop).on("SIGHUP", stop); // The last one: the terminal is closed.
    const show = openShow();
    // Read before anything starts, so that a mistake costs no more than its message.
    const root = checkedRunDirectory(args);
    const run = await createRunDirectory(root, (text) => show.line(text), args.config);
    const log = pino(
      { name: "up", level: "debug", serializers: { err: errorForLog } },
      openLogFile(join(run.logs, "up.log")),
    );
    try {
      await runPool({ args, run, log, show: logged(show, log), asked: asked.signal });
    } catch (error) {
      log.error({ err: error }, "the pool did not go on");
      throw error;
    } finally {
      await run.clear();
      show.line(`stopped; the logs are in ${run.logs}`);
      process.off("SIGINT", stop).off("SIGTERM", stop).off("SIGHUP", stop);
    }
  },
};

/** @throws {ConfigError | UsageError | CircusError | IniError} for whatever can be known to be wrong before anything starts. */
function checkedRunDirectory({ config, set, circus }: Arguments): string {
  if (circus !== undefined) readIni(circus);
  if (config === undefined) {
    // The embedded configuration is written later; what was set by flag can be checked now.
    loadConfig(configSchema, { environment: process.env, overrides: set });
    return RUNS;
  }
  const read = readConfig({ config, set });
  // A file of one's own may describe a house that mines nothing.
  if (!read.jobmanager && circus === undefined) throw new MissingSection("jobmanager", "payout and daemons");
  return read.runDirectory;
}

interface Setting {
  readonly args: Arguments;
  readonly run: RunDirectory;
  readonly log: Log;
  readonly show: Show;
  readonly asked: AbortSignal;
}

async function runPool({ args, run, log, show, asked }: Setting): Promise<void> {
  const embedded = args.config === undefined ? await prepareEmbedded(run, (text) => show.line(text)) : undefined;
  let watch: Watch | undefined;
  const tell = (text: string) => (watch ? watch.tell(text, "bad") : show.line(text));
  const from = performance.now();
  const pool = await Pool.open({
    ...{ run, embedded, log, signal: asked, overrides: args.set, circusFile: args.circus },
    configFile: embedded?.configFile ?? resolve(args.config ?? ""),
    onStarting: (watcher) => watch ?? show.line(`starting ${watcher}`),
    onTold: tell,
  });
  try {
    const { haproxy, edge } = await pool.config();
    const mining = edge.backend === "stratum";
    const addresses = haproxy.listeners.map(
      ({ host, port, tls }) =>
        `${mining ? "stratum+" : ""}${tls ? (mining ? "ssl" : "tls") : "tcp"}://${host === "0.0.0.0" ? "127.0.0.1" : host}:${port}`,
    );
    show.line(
      `all up after ${((performance.now() - from) / 1_000).toFixed(1)} s; ${mining ? "miners" : "clients"} connect to ${addresses.join(", ")}`,
    );
    const url = await pool.dashboard();
    if (url !== undefined) show.line(`dashboard: ${url} (token for swap and drain: ${run.path}/dashboard.token)`);
    const watching = new Watch({
      ...{
        house: await pool.house(),
        mining,
        demo: embedded !== undefined,
        addresses: [...addresses, ...(url ? [url] : [])],
        runDirectory: run.path,
        log,
      },
      processes: () => pool.processes(),
      onEvent: (text, mood) => show.line(text, mood),
    });
    watch = watching;
    show.start(() => watching.view());
    const upAt = performance.now();
    await stay({ args, embedded, asked, log });
    show.stop();
    show.line("stopping");
    if (args.summary !== undefined && embedded) {
      const seconds = (performance.now() - upAt) / 1_000;
      await writeFile(args.summary, `${JSON.stringify(await measure(await pool.house(), embedded, seconds))}\n`);
    }
  } finally {
    show.stop();
    await watch?.close();
    watch = undefined;
    await pool.close();
  }
}

/** Until the time is over or somebody asks to stop. */
async function stay({ args, embedded, asked, log }: Stay): Promise<void> {
  const over = new AbortController();
  const end = () => over.abort();
  const timer = args.for === undefined ? undefined : setTimeout(end, args.for * 1_000);
  asked.addEventListener("abort", end, { once: true });
  if (asked.aborted) end();
  const paying = embedded?.pay(over.signal, log);
  if (!over.signal.aborted) await once(over.signal, "abort");
  clearTimeout(timer);
  await paying;
}

interface Stay extends Pick<Setting, "args" | "asked" | "log"> {
  readonly embedded: Embedded | undefined;
}
