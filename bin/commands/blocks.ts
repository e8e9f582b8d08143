// headframe blocks: the blocks that this pool found, newest first, and what became of each.

import type { CommandModule } from "yargs";
import { reporter } from "../../lib/contracts/index.js";
import { type ConfigOptions, configOptions, readConfig } from "../config.js";
import { drawBlocks } from "../draw/tables.js";
import { UsageError } from "../failure.js";
import { toJson } from "../json.js";
import { patiently } from "../patience.js";
import { consult, visit } from "../visit.js";

interface Arguments extends ConfigOptions {
  readonly limit: number;
  readonly json: boolean;
}

const LIMIT_MAX = 1_000;

export const blocks: CommandModule<object, Arguments> = {
  command: "blocks",
  describe: "List found blocks, newest first: status, confirmations, finder",
  builder: (yargs) =>
    yargs.options({
      ...configOptions,
      limit: { type: "number", default: 20, requiresArg: true, describe: "Maximum number of blocks" },
      json: { type: "boolean", default: false, describe: "Print an array of blocks as JSON" },
    }),
  handler: async (args) => {
    const { limit, json } = args;
    if (!(limit >= 1 && limit <= LIMIT_MAX)) throw new UsageError(`--limit takes a number from 1 to ${LIMIT_MAX}`);
    await visit(readConfig(args), async (house) => {
      const found = await consult(house, reporter, (client) =>
        patiently("the reporter", client.call("blocks", { limit })),
      );
      process.stdout.write(json ? `${toJson(found.blocks)}\n` : drawBlocks(found.blocks, Date.now()));
    });
  },
};
