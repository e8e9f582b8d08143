#!/usr/bin/env node
// headframe: the command line. Exit codes: 0 done, 1 failed, 2 wrong usage or configuration (see failure.ts).

import yargs from "yargs";
import { hideBin } from "yargs/helpers";
import { packageVersion } from "../lib/wiring/index.js";
import { call } from "./commands/call.js";
import { drain } from "./commands/drain.js";
import { keys } from "./commands/keys.js";
import { ps } from "./commands/ps.js";
import { run } from "./commands/run.js";
import { swap } from "./commands/swap.js";
import { up } from "./commands/up.js";
import { exitCodeOf, explain, UsageError } from "./failure.js";

const WIDTH_MAX = 110;

try {
  await yargs(hideBin(process.argv))
    .scriptName("headframe")
    .usage("$0 COMMAND\n\nA mining pool whose clients stay connected while everything behind them is restarted.")
    .command(up)
    .command(run)
    .command(ps)
    .command(swap)
    .command(drain)
    .command(call)
    .command(keys)
    .demandCommand(1, "name a command, such as `headframe up`")
    .recommendCommands()
    .strict()
    .wrap(Math.min(WIDTH_MAX, process.stdout.columns ?? WIDTH_MAX))
    .version(packageVersion)
    .help()
    .alias("help", "h")
    .epilogue("`headframe COMMAND --help` says more. Start with `npm start`.")
    .fail((message, error) => {
      throw error ?? new UsageError(`${message}\nSee \`headframe --help\`.`);
    })
    .parseAsync();
} catch (error) {
  process.stderr.write(`headframe: ${explain(error)}\n`);
  // Whoever failed has closed what it opened; a Redis client's timers may last two seconds longer, and nobody should wait.
  process.exit(exitCodeOf(error));
}
