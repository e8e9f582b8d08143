// The fuzzer of the client door: nonsense at high rate, cut anywhere, from many connections, beside honest miners.
//
//   npm run fuzz -- --seconds 120        exit 1: a crash, a disturbed miner or growing memory; 2: the run itself failed

import { writeFile } from "node:fs/promises";
import yargs from "yargs";
import { hideBin } from "yargs/helpers";
import { isGood, render } from "./report.js";
import { fuzz } from "./run.js";

const args = await yargs(hideBin(process.argv))
  .scriptName("fuzz")
  .usage("$0: sends nonsense to a whole pool, next to honest miners who must not notice")
  .options({
    seed: { type: "number", describe: "Draws the lines; default: a random one, which is told", requiresArg: true },
    seconds: { type: "number", default: 60, describe: "How long strangers send", requiresArg: true },
    strangers: { type: "number", default: 100, describe: "Connections that send nonsense", requiresArg: true },
    honest: { type: "number", default: 50, describe: "Honest miners, a share a second each", requiresArg: true },
    patience: { type: "number", default: 1, describe: "Times what an honest miner may wait", requiresArg: true },
    json: { type: "string", describe: "Write all that was found to this file", requiresArg: true },
  })
  .check(({ seconds, strangers, honest }) => {
    if (!(seconds >= 5)) throw new Error("--seconds takes 5 or more");
    if (!(strangers >= 1 && strangers <= 10_000)) throw new Error("--strangers takes 1 to 10000");
    if (!(honest >= 1 && honest <= 10_000)) throw new Error("--honest takes 1 to 10000");
    return true;
  })
  .strict()
  .parse();

const asked = new AbortController();
for (const name of ["SIGINT", "SIGTERM"] as const) {
  process.once(name, () => asked.abort(new Error(`it was ended by ${name}`)));
}
const seed = args.seed ?? Math.floor(Math.random() * 2 ** 31);
const from = performance.now();
const tell = (text: string) =>
  void process.stdout.write(`${((performance.now() - from) / 1_000).toFixed(2).padStart(7)} s  ${text}\n`);

try {
  const { seconds, strangers, honest, patience } = args;
  const result = await fuzz({ seed, seconds, strangers, honest, patience, signal: asked.signal, tell });
  if (args.json !== undefined) await writeFile(args.json, `${JSON.stringify(result, undefined, 1)}\n`);
  process.stdout.write(`${render(result)}\n`);
  process.exitCode = isGood(result) ? 0 : 1;
} catch (error) {
  const cause = asked.signal.aborted ? asked.signal.reason : error;
  process.stderr.write(`the run failed: ${cause instanceof Error ? (cause.stack ?? cause.message) : String(cause)}\n`);
  process.exitCode = 2;
}
