// headframe log-level INSTANCE [LEVEL]: what a running process writes into its log; changed without a restart.

import type { CommandModule } from "yargs";
import { everywhere, type Instance, instanceId, type LogLevel, logLevel as level } from "../../lib/wiring/index.js";
import { type ConfigOptions, configOptions, readConfig } from "../config.js";
import { checkSeconds } from "../failure.js";
import { toJson } from "../json.js";
import { consultAll, visit } from "../visit.js";

interface Arguments extends ConfigOptions {
  readonly instance: string;
  readonly level: LogLevel | undefined;
  readonly for: number | undefined;
  readonly json: boolean;
}

interface Answer {
  readonly instance: string;
  readonly level: LogLevel;
  readonly configured: LogLevel;
}

export const logLevel: CommandModule<object, Arguments> = {
  command: "log-level <instance> [level]",
  describe: "Print or change the log level of running processes; a service name selects all of its instances",
  builder: (yargs) =>
    yargs
      .positional("instance", {
        type: "string",
        demandOption: true,
        describe: "Instance id, service name, or `all`",
      })
      .positional("level", { choices: level.options, describe: "Least severe level that is logged" })
      .options({
        ...configOptions,
        for: { type: "number", requiresArg: true, describe: "Revert after this many seconds" },
        json: { type: "boolean", default: false, describe: "Print an array of instances as JSON" },
      })
      .example("headframe log-level stratum debug --for 60", "log every share in all stratum instances, for a minute"),
  handler: async (args) => {
    checkSeconds("--for", args.for);
    await visit(readConfig(args), async (house) => {
      const all = await house.list();
      const meant = all.filter(({ id, service }) => args.instance === "all" || [id, service].includes(args.instance));
      if (meant.length === 0) throw new Error(`there is no instance or service ${args.instance}: see \`headframe ps\``);
      const answers: Answer[] = [];
      for (const instance of meant.filter(({ state }) => state === "ready")) answers.push(await tell(instance));
      process.stdout.write(args.json ? `${toJson(answers)}\n` : answers.map(draw).join(""));

      async function tell({ id, service }: Instance): Promise<Answer> {
        const { level, for: seconds } = args;
        const request = { ...(level !== undefined && { level }), ...(seconds !== undefined && { seconds }) };
        const to = { to: instanceId.parse(id) };
        const reply = await consultAll(house, everywhere(service), (client) => client.call("logLevel", request, to));
        return { instance: id, ...reply };
      }
    });
  },
};

const draw = ({ instance, level: now, configured }: Answer): string =>
  `${instance} logs from ${now} on${now === configured ? "" : ` (configured: ${configured})`}\n`;
