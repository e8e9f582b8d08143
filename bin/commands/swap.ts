// headframe swap SERVICE: new instances in the place of the running ones, while clients stay connected. A new one that is not
// good is stopped again and the old one stays; the reason is printed, and the exit code is 1.

import type { CommandModule } from "yargs";
import { type ConfigOptions, configOptions, readConfig } from "../config.js";
import { UsageError } from "../failure.js";
import { toJson } from "../json.js";
import { findManager, type Manager, managerOptions } from "../manage/manager.js";
import { seconds } from "../manage/progress.js";
import { isHandedOver, judgedBy, replaceService, SWAPPABLE } from "../manage/replace.js";
import { versions, whatWentWrong } from "../manage/swap.js";
import { type VisitedHouse, visit } from "../visit.js";

interface Arguments extends ConfigOptions {
  readonly service: string;
  readonly endpoint: string | undefined;
  readonly cmd: string | undefined;
  readonly env: readonly string[];
  readonly json: boolean;
}

export const swap: CommandModule<object, Arguments> = {
  command: "swap <service>",
  describe:
    "Replace the instances of a service one by one, without disconnecting a client; roll back if a new one fails",
  builder: (yargs) =>
    yargs
      .positional("service", {
        type: "string",
        demandOption: true,
        describe: `${SWAPPABLE.join(", ")}; or your own watcher`,
      })
      .options({
        ...configOptions,
        ...managerOptions,
        cmd: {
          type: "string",
          requiresArg: true,
          describe: "Command line of the new instances; kept if the swap succeeds",
        },
        env: {
          type: "string",
          array: true,
          requiresArg: true,
          default: [] as string[],
          describe: "NAME=VALUE in the environment of the new instances (may be repeated); kept if the swap succeeds",
        },
        json: { type: "boolean", default: false, describe: "Print one report at the end as JSON" },
      })
      .example("headframe swap stratum", "after an upgrade of the files, or a change of the configuration")
      .example("headframe swap keeper", "keeper and edge, with every client's connection"),
  handler: async (args) => {
    const config = readConfig(args);
    const manager = findManager(args.endpoint, config);
    const swapping = async (house: VisitedHouse) => {
      const shared = {
        instances: () => house.list(judgedBy(args.service)),
        tell: (line: string) => void (args.json || process.stdout.write(`${clock()}  ${line}\n`)),
      };
      return replaceService(args.service, manager, shared, await newOptions(args, manager));
    };
    const report = await visit(config, swapping, { needsRedis: true });
    if (args.json) process.stdout.write(`${toJson(report)}\n`);
    if (!report.ok) throw new Error(whatWentWrong(report));
    if (!args.json)
      process.stdout.write(`${clock()}  ${args.service} swapped in ${seconds(report.ms)}: ${versions(report)}\n`);
  },
};

async function newOptions({ service, cmd, env }: Arguments, manager: Manager): Promise<object | undefined> {
  if (cmd === undefined && env.length === 0) return undefined;
  const pairs = env.map((text) => {
    const [, name, value = ""] = /^(\w+)=(.*)$/s.exec(text) ?? [];
    if (name === undefined) throw new UsageError(`--env ${text}: expected NAME=VALUE`);
    return [name, value] as const;
  });
  if (isHandedOver(service)) return {}; // Refused with its reason by whoever would carry it out.
  return {
    ...(cmd === undefined ? {} : { cmd }),
    ...(pairs.length > 0 && { env: await manager.environmentWith(service, Object.fromEntries(pairs)) }),
  };
}

const clock = (): string => new Date().toTimeString().slice(0, 8);
