// The configuration: every service's settings in one file, and how commands find it.
//
//   --config FILE, or $HEADFRAME_CONFIG, or the pool that runs here (run/current/headframe.toml)

import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Options } from "yargs";
import { z } from "zod";
import { settings as minerSettings } from "../demo/miner/settings.js";
import { haproxySettings } from "../haproxy/settings.js";
import { loadConfig } from "../lib/config/index.js";
import { type HouseSettings, houseSettings } from "../lib/wiring/index.js";
import { settings as dashboardSettings } from "../services/dashboard/settings.js";
import { settings as edgeSettings } from "../services/edge/settings.js";
import { settings as jobmanagerSettings } from "../services/jobmanager/settings.js";
import { settings as reporterSettings } from "../services/reporter/settings.js";
import { settings as stratumSettings } from "../services/stratum/settings.js";
import { RUNS } from "./paths.js";

export const configSchema = houseSettings.extend({
  runDirectory: z
    .string()
    .min(1)
    .max(4_096)
    .default(RUNS)
    .describe("Directory for sockets and logs. Each start creates its own folder in it."),
  jobmanager: jobmanagerSettings.optional().describe("The coin, who is paid, the daemons. Needed by jobmanager."),
  stratum: stratumSettings.prefault({}),
  reporter: reporterSettings.prefault({}),
  edge: edgeSettings.prefault({}),
  haproxy: haproxySettings.prefault({}),
  dashboard: dashboardSettings.prefault({}),
  miner: minerSettings.prefault({}).describe("The demo miner; not for production."),
  own: z
    .record(z.string().max(32), z.unknown())
    .default({})
    .describe("Settings of services of your own, a table each; each service checks its own."),
});

/** The services' settings must also agree with each other. */
const agreeingSchema = configSchema.superRefine((it, context) => {
  const refuse = (path: PropertyKey[], message: string) => context.addIssue({ code: "custom", path, message });
  const { jobmanager, stratum, haproxy } = it;
  for (const key of ["extranonce1Size", "extranonce2Size"] as const) {
    if (jobmanager && stratum[key] !== jobmanager[key]) {
      refuse(["stratum", key], `must be what jobmanager.${key} is (${jobmanager[key]}), or no job fits`);
    }
  }
  if (jobmanager && stratum.noWorkDisconnectMs <= jobmanager.pulseMs) {
    refuse(["stratum", "noWorkDisconnectMs"], `must be longer than jobmanager.pulseMs (${jobmanager.pulseMs})`);
  }
  if (jobmanager && it.reporter.identityTtlMs < jobmanager.jobTtlMs) {
    refuse(
      ["reporter", "identityTtlMs"],
      `must be at least jobmanager.jobTtlMs (${jobmanager.jobTtlMs}), or a share of a job that is still known counts twice`,
    );
  }
  const names = [
    "default",
    ...haproxy.listeners.map(({ name }) => name),
    ...(it.edge.listen ? [it.edge.listen.name] : []),
  ];
  for (const name of Object.keys(stratum.listeners)) {
    if (!names.includes(name))
      refuse(["stratum", "listeners", name], `no such listener; there are ${names.join(", ")}`);
  }
});

type Parsed = z.output<typeof configSchema>;

export interface Config extends Omit<Parsed, keyof HouseSettings> {
  /** What every process needs, whatever it runs. */
  readonly house: HouseSettings;
  /** The file it came from, if any. */
  readonly file: string | undefined;
  /** The same as it stands now. @throws {ConfigError} */
  reread(): Config;
}

export interface ConfigOptions {
  readonly config: string | undefined;
  readonly set: readonly string[];
}

export const configOptions = {
  config: {
    type: "string",
    requiresArg: true,
    describe: "Configuration file (TOML). Default: $HEADFRAME_CONFIG, else that of the pool running in this folder",
  },
  set: {
    type: "string",
    array: true,
    requiresArg: true,
    default: [] as string[],
    describe: "Override one key: --set redis.url=redis://127.0.0.1:6379 (may be repeated)",
  },
} as const satisfies Record<string, Options>;

/** The file that a command without --config works on. */
export function findConfig(given: string | undefined): string | undefined {
  if (given !== undefined) return resolve(given);
  const named = process.env.HEADFRAME_CONFIG;
  if (named) return resolve(named);
  const current = resolve(RUNS, "current", "headframe.toml");
  return existsSync(current) ? current : undefined;
}

/** @throws {ConfigError} which says what is wrong, for the user. */
export function readConfig(options: ConfigOptions): Config {
  const file = findConfig(options.config);
  const parsed = loadConfig(agreeingSchema, { file, environment: process.env, overrides: options.set });
  const { jobmanager, stratum, edge, haproxy, dashboard, miner, own, runDirectory, ...house } = parsed;
  const reporter = spoolIn(runDirectory, parsed.reporter);
  return {
    house,
    jobmanager,
    stratum,
    reporter,
    edge,
    haproxy,
    dashboard,
    miner,
    own,
    runDirectory,
    file,
    reread: () => readConfig({ ...options, config: file }),
  };
}

/** Not in the folder of one run: what waits there belongs to the next one, too. */
function spoolIn(runDirectory: string, reporter: Parsed["reporter"]): Parsed["reporter"] {
  const { spool } = reporter;
  return { ...reporter, spool: { ...spool, directory: resolve(spool.directory ?? join(runDirectory, "spool")) } };
}
