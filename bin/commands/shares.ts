// headframe shares tail: the end of the share log, and what comes after it.
//
//   reporter.shares (newest) -> lines; with --follow again from the last record seen, so that nothing is missed

import { setTimeout as delay } from "node:timers/promises";
import type { CommandModule } from "yargs";
import { type ReporterContract, reporter } from "../../lib/contracts/index.js";
import { type Client, type RequestOf, WiringError } from "../../lib/wiring/index.js";
import { type ConfigOptions, configOptions, readConfig } from "../config.js";
import { drawShare } from "../draw/tables.js";
import { UsageError } from "../failure.js";
import { toJson } from "../json.js";
import { untilAsked } from "../until-asked.js";
import { consult, visit } from "../visit.js";

interface Arguments extends ConfigOptions {
  readonly lines: number;
  readonly follow: boolean;
  readonly worker: string | undefined;
  readonly connection: string | undefined;
  readonly json: boolean;
}

const LOOK_EVERY_MS = 500;
const PAGE = 1_000;

const tail: CommandModule<object, Arguments> = {
  command: "tail",
  describe: "Print the newest shares of the log, oldest first; --follow keeps printing new ones",
  builder: (yargs) =>
    yargs
      .options({
        ...configOptions,
        lines: { alias: "n", type: "number", default: 10, requiresArg: true, describe: "Maximum number of shares" },
        follow: { alias: "f", type: "boolean", default: false, describe: "Keep printing new shares until Ctrl-C" },
        worker: { type: "string", requiresArg: true, describe: "Only shares of workers whose name contains this" },
        connection: { type: "string", requiresArg: true, describe: "Only shares of this connection id" },
        json: { type: "boolean", default: false, describe: "Print one JSON object per line" },
      })
      .example("headframe shares tail -f --worker alice", "what alice's rigs send"),
  handler: async (args) => {
    if (!(args.lines >= 1 && args.lines <= PAGE)) throw new UsageError(`--lines takes a number from 1 to ${PAGE}`);
    await visit(readConfig(args), (house) => consult(house, reporter, (client) => print(client, args)));
  },
};

export const shares: CommandModule<object, object> = {
  command: "shares <command>",
  describe: "Read the share log",
  builder: (yargs) => yargs.command(tail).demandCommand(1, "name what to do: `headframe shares tail`"),
  handler: () => {},
};

async function print(client: Client<ReporterContract>, args: Arguments): Promise<void> {
  const filter = {
    ...(args.worker !== undefined && { match: args.worker }),
    ...(args.connection !== undefined && {
      connection: args.connection as RequestOf<ReporterContract, "shares">["connection"],
    }),
  };
  const first = await client.call("shares", { ...filter, limit: args.lines });
  const write = (found: typeof first.shares) => {
    for (const share of found) process.stdout.write(`${args.json ? toJson(share, 0) : drawShare(share)}\n`);
  };
  write(first.shares);
  if (!args.follow) return;
  const asked = untilAsked();
  let last = first.last ?? ("0-0" as NonNullable<typeof first.last>);
  while (!asked.aborted) {
    await delay(LOOK_EVERY_MS, undefined, { signal: asked }).catch(() => {});
    const page = await client.call("shares", { ...filter, limit: PAGE, after: last }).catch(away);
    write(page?.shares ?? []);
    last = page?.last ?? last;
  }
}

/** A reporter that is being replaced, or a Redis that is away, is asked again: nothing is missed by it. */
function away(error: unknown): undefined {
  if (!(error instanceof WiringError)) throw error;
}
