// headframe swap SERVICE: new instances in the place of the running ones, while clients stay connected. A new one that is not
// good is stopped again and the old one stays; the reason is printed, and the exit code is 1.

import type { CommandModule } from "yargs";
import { Registry } from "../../lib/wiring/index.js";
import { type ConfigOptions, configOptions, readConfig } from "../config.js";
import { UsageError } from "../failure.js";
import { toJson } from "../json.js";
import { KEEPER_WATCHER, swapEdge, swapKeeper } from "../manage/keeper.js";
import { findManager, type Manager, managerOptions } from "../manage/manager.js";
import { seconds } from "../manage/progress.js";
import { type SwapOptions, type SwapReport, swapRolling } from "../manage/swap.js";
import { visit } from "../visit.js";

interface Arguments extends ConfigOptions {
  readonly service: string;
  readonly endpoint: string | undefined;
  readonly cmd: string | undefined;
  readonly env: readonly string[];
  readonly json: boolean;
}

const ROLLING = ["jobmanager", "stratum", "reporter"] as const;
/** Replaced by the keeper itself, which alone can hand clients over. */
const HANDED_OVER = ["edge", "keeper"] as const;

export const swap: CommandModule<object, Arguments> = {
  command: "swap <service>",
  describe: "Replace the instances of a service one by one; no client notices, a bad version is taken back",
  builder: (yargs) =>
    yargs
      .positional("service", { choices: [...ROLLING, ...HANDED_OVER], demandOption: true, describe: "Which service" })
      .options({
        ...configOptions,
        ...managerOptions,
        cmd: { type: "string", requiresArg: true, describe: "The new instances' command line; kept if they are good" },
        env: {
          type: "string",
          array: true,
          requiresArg: true,
          default: [] as string[],
          describe: "NAME=VALUE in the new instances' environment (again for more); kept if they are good",
        },
        json: { type: "boolean", default: false, describe: "One report at the end, for programs" },
      })
      .example("headframe swap stratum", "after an upgrade of the files, or a change of the configuration")
      .example("headframe swap keeper", "keeper and edge, with every client's connection"),
  handler: async (args) => {
    const config = readConfig(args);
    const manager = findManager(args.endpoint, config);
    const report = await visit(config, async (house) => {
      const registry = Registry.open({ redis: house.redis.discovery, cluster: house.cluster });
      try {
        return await swapService(args, manager, {
          instances: () => registry.list(args.service === KEEPER_WATCHER ? "edge" : args.service),
          tell: (line) => void (args.json || process.stdout.write(`${clock()}  ${line}\n`)),
        });
      } finally {
        await registry.close();
      }
    });
    if (args.json) process.stdout.write(`${toJson(report)}\n`);
    if (!report.ok) throw new Error(`${args.service} was not swapped; the old instances stay\n${report.reason}`);
    if (!args.json) process.stdout.write(`${clock()}  ${args.service} swapped in ${seconds(report.ms)}\n`);
  },
};

async function swapService(
  args: Arguments,
  manager: Manager,
  shared: Pick<SwapOptions, "instances" | "tell">,
): Promise<SwapReport> {
  const { service, cmd, env } = args;
  const handedOver = HANDED_OVER.some((name) => name === service);
  const watcher = handedOver ? KEEPER_WATCHER : service;
  const watchers = await manager.watchers();
  if (!watchers.includes(watcher)) {
    throw new UsageError(`the manager at ${manager.endpoint} runs no ${watcher}; it runs ${watchers.join(", ")}`);
  }
  if (handedOver && (cmd !== undefined || env.length > 0)) {
    throw new UsageError(
      `${service} is started again by the keeper's own command line: --cmd and --env are for the others`,
    );
  }
  if (service === "edge") return swapEdge({ manager, ...shared });
  if (service === "keeper") return swapKeeper({ manager, ...shared });
  const options = await newOptions(args, manager);
  return swapRolling({ manager, watcher: service, service, ...(options && { options }), ...shared });
}

async function newOptions({ service, cmd, env }: Arguments, manager: Manager): Promise<object | undefined> {
  if (cmd === undefined && env.length === 0) return undefined;
  const pairs = env.map((text) => {
    const [, name, value = ""] = /^(\w+)=(.*)$/s.exec(text) ?? [];
    if (name === undefined) throw new UsageError(`--env ${text}: expected NAME=VALUE`);
    return [name, value] as const;
  });
  return {
    ...(cmd === undefined ? {} : { cmd }),
    ...(pairs.length > 0 && { env: await manager.environmentWith(service, Object.fromEntries(pairs)) }),
  };
}

const clock = (): string => new Date().toTimeString().slice(0, 8);
