#!/usr/bin/env node
// headframe: the command line. Exit codes: 0 done, 1 failed, 2 wrong usage or configuration (see failure.ts).

import { exitCodeOf, explain } from "./failure.js";

try {
  const words = process.argv.slice(2);
  const { ownVersion, runCli } = await import("./cli.js");
  await (words.length === 1 && words[0] === "--version" ? console.log(ownVersion()) : runCli(words));
} catch (error) {
  process.stderr.write(`headframe: ${explain(error)}\n`);
  // Whoever failed has closed what it opened; a Redis client's timers may last two seconds longer, and nobody should wait.
  process.exit(exitCodeOf(error));
}
