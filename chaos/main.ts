// The breaking machine: starts a whole pool, breaks it on purpose for as long as told, and says which promise did not hold.
//
//   npm run chaos -- --seed 7 --seconds 300 --clients 1000 --json out.json        exit 1: a promise broke; 2: the run failed
//
// The same seed draws the same schedule.

import { writeFile } from "node:fs/promises";
import yargs from "yargs";
import { hideBin } from "yargs/helpers";
import { messageOf } from "../lib/thrown.js";
import { KINDS } from "./kinds.js";
import { render } from "./report.js";
import { run } from "./run.js";

const names = KINDS.map(({ name }) => name);

const args = await yargs(hideBin(process.argv))
  .scriptName("chaos")
  .usage("$0: breaks a whole pool on purpose and checks what its clients were promised")
  .options({
    seed: { type: "number", describe: "Draws the schedule; default: a random one, which is told", requiresArg: true },
    seconds: { type: "number", default: 60, describe: "How long things break", requiresArg: true },
    clients: { type: "number", default: 200, describe: "Scripted miners, a share a second each", requiresArg: true },
    kinds: { type: "string", array: true, choices: names, describe: "Only these faults", requiresArg: true },
    patience: {
      type: "number",
      default: 1,
      describe: "Times what a client may wait: above 1 for a machine with other things to do",
      requiresArg: true,
    },
    json: { type: "string", describe: "Write all that was found to this file", requiresArg: true },
    quiet: { type: "boolean", default: false, describe: "Only the tables, not each fault as it happens" },
  })
  .check(({ seconds, clients }) => {
    if (!(seconds >= 10)) throw new Error("--seconds takes 10 or more: a fault needs time to be felt");
    if (!(clients >= 1 && clients <= 20_000)) throw new Error("--clients takes 1 to 20000");
    return true;
  })
  .strict()
  .parse();

const seed = args.seed ?? Math.floor(Math.random() * 2 ** 31);
const from = performance.now();
const tell = (text: string) => {
  if (!args.quiet) process.stdout.write(`${((performance.now() - from) / 1_000).toFixed(2).padStart(7)} s  ${text}\n`);
};

const asked = new AbortController();
for (const name of ["SIGINT", "SIGTERM"] as const) {
  process.once(name, () => asked.abort(new Error(`it was ended by ${name}`)));
}

try {
  const { seconds, clients, kinds, patience } = args;
  tell(`seed ${seed}, ${seconds} s, ${clients} clients`);
  const result = await run({ seed, seconds, clients, kinds, patience, tell, signal: asked.signal });
  if (args.json !== undefined) await writeFile(args.json, `${JSON.stringify(result, undefined, 1)}\n`);
  process.stdout.write(`${render(result)}\n`);
  process.exitCode = result.brokenCount === 0 ? 0 : 1;
} catch (error) {
  const cause = asked.signal.aborted ? asked.signal.reason : error;
  process.stderr.write(
    `the run failed: ${cause instanceof Error ? (cause.stack ?? cause.message) : messageOf(cause)}\n`,
  );
  process.exitCode = 2;
}
