#!/usr/bin/env node
// headframe: the command line. Exit codes: 0 done, 1 failed, 2 wrong usage or configuration (see failure.ts).

import { hideBin } from "yargs/helpers";
import { runCli } from "./cli.js";
import { exitCodeOf, explain } from "./failure.js";

try {
  await runCli(hideBin(process.argv));
} catch (error) {
  process.stderr.write(`headframe: ${explain(error)}\n`);
  // Whoever failed has closed what it opened; a Redis client's timers may last two seconds longer, and nobody should wait.
  process.exit(exitCodeOf(error));
}
