// headframe drain INSTANCE: that instance takes nothing new, finishes what it has, and ends for good; with --replace another one
// is in its place before.

import type { CommandModule } from "yargs";
import { type ConfigOptions, configOptions, readConfig } from "../config.js";
import { toJson } from "../json.js";
import { findManager, managerOptions } from "../manage/manager.js";
import { retireInstance } from "../manage/retire.js";
import { type VisitedHouse, visit } from "../visit.js";

interface Arguments extends ConfigOptions {
  readonly instance: string;
  readonly endpoint: string | undefined;
  readonly replace: boolean;
  readonly force: boolean;
  readonly json: boolean;
}

export const drain: CommandModule<object, Arguments> = {
  command: "drain <instance>",
  describe: "Stop one instance after it has finished its work; the other instances take over",
  builder: (yargs) =>
    yargs
      .positional("instance", {
        type: "string",
        demandOption: true,
        describe: "Instance id, as listed by `headframe ps`",
      })
      .options({
        ...configOptions,
        ...managerOptions,
        replace: { type: "boolean", default: false, describe: "Start a replacement first" },
        force: { type: "boolean", default: false, describe: "Drain even the last instance of a service" },
        json: { type: "boolean", default: false, describe: "Print one report at the end as JSON" },
      })
      .example("headframe drain stratum-1f0c9a2e", "one instance fewer until the pool is restarted"),
  handler: async (args) => {
    const config = readConfig(args);
    const draining = (house: VisitedHouse) =>
      retireInstance(args.instance, {
        ...{ registry: house, replace: args.replace, force: args.force, tell: args.json ? () => {} : say },
        manager: () => findManager(args.endpoint, config),
      });
    const report = await visit(config, draining, { needsRedis: true });
    if (args.json) process.stdout.write(`${toJson(report)}\n`);
  },
};

const say = (line: string): void => void process.stdout.write(`${new Date().toTimeString().slice(0, 8)}  ${line}\n`);
