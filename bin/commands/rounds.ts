// headframe rounds: what was done between two blocks, and by whom; the open round first.

import type { CommandModule } from "yargs";
import { type ReporterContract, ROUND_WORKERS_MAX, type Round, reporter } from "../../lib/contracts/index.js";
import type { Client } from "../../lib/wiring/index.js";
import { type ConfigOptions, configOptions, readConfig } from "../config.js";
import { drawRounds } from "../draw/tables.js";
import { UsageError } from "../failure.js";
import { toJson } from "../json.js";
import { patiently } from "../patience.js";
import { consult, visit } from "../visit.js";

interface Arguments extends ConfigOptions {
  readonly limit: number;
  readonly json: boolean;
}

const LIMIT_MAX = 100;

export const rounds: CommandModule<object, Arguments> = {
  command: "rounds",
  describe: "List rounds, the open one first: shares, difficulty and the portion of each worker",
  builder: (yargs) =>
    yargs.options({
      ...configOptions,
      limit: { type: "number", default: 10, requiresArg: true, describe: "Maximum number of rounds" },
      json: { type: "boolean", default: false, describe: "Print an array of rounds as JSON" },
    }),
  handler: async (args) => {
    const { limit, json } = args;
    if (!(limit >= 1 && limit <= LIMIT_MAX)) throw new UsageError(`--limit takes a number from 1 to ${LIMIT_MAX}`);
    await visit(readConfig(args), async (house) => {
      const found = await consult(house, reporter, async (client) => {
        const { rounds } = await patiently("the reporter", client.call("rounds", { limit }));
        if (!json) return rounds;
        const whole: Round[] = [];
        for (const round of rounds) whole.push(await withAllWorkers(client, round));
        return whole;
      });
      process.stdout.write(json ? `${toJson(found)}\n` : drawRounds(found, Date.now()));
    });
  },
};

/** With the workers that one reply has no room for: who pays by this needs all of them. */
async function withAllWorkers(client: Client<ReporterContract>, round: Round): Promise<Round> {
  const workers = [...round.workers];
  while (workers.length < round.workerCount) {
    const page = await client.call("roundWorkers", {
      round: round.round,
      from: workers.length,
      limit: ROUND_WORKERS_MAX,
    });
    if (page.workers.length === 0) break;
    workers.push(...page.workers);
  }
  return { ...round, workers };
}
