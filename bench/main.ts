// The benchmarks: side by side with what they are compared with, on this machine, by one command.
//
//   npm run bench                    all of them, under 15 minutes on two cores
//   npm run bench -- rpc push        these; --json FILE: all figures     --results: writes bench/RESULTS.md anew
//
// Exit code 0: they ran (a missed floor is told, not an error). 1: one could not run, or an answer was wrong.

import { writeFile } from "node:fs/promises";
import yargs from "yargs";
import { hideBin } from "yargs/helpers";
import { BENCHMARKS } from "./all.js";
import { machine } from "./kit/machine.js";
import type { Report } from "./kit/report.js";
import { writeResults } from "./kit/results.js";
import { render } from "./kit/table.js";

const args = await yargs(hideBin(process.argv))
  .scriptName("npm run bench --")
  .usage("$0 [NAME...]: times Headframe beside its references")
  .options({
    json: { type: "string", describe: "Write every figure to this file", requiresArg: true },
    results: { type: "boolean", default: false, describe: "Write bench/RESULTS.md and its plots" },
    rounds: { type: "number", default: 5, describe: "Rounds for each contender; medians count", requiresArg: true },
    ms: { type: "number", default: 1_000, describe: "How long a round lasts", requiresArg: true },
    scale: { type: "number", default: 1, describe: "Part of the full number of connections and instances" },
    only: { type: "string", array: true, describe: "These contenders only, such as raw", requiresArg: true },
  })
  .check(({ rounds, ms, scale, _ }) => {
    if (!(rounds >= 1 && ms >= 20)) throw new Error("--rounds takes 1 or more, --ms 20 or more");
    if (!(scale > 0 && scale <= 1)) throw new Error("--scale takes a part between 0 and 1");
    const unknown = _.find((name) => !(name in BENCHMARKS));
    if (unknown !== undefined)
      throw new Error(`no benchmark ${unknown}; there are ${Object.keys(BENCHMARKS).join(", ")}`);
    return true;
  })
  .strictOptions()
  .parse();

/** Whoever waits for it unattended is not kept waiting by a machine that is too slow: what is left out is said. */
const LIMIT_MS = 14 * 60_000;
const asked = new AbortController();
const late = AbortSignal.timeout(LIMIT_MS);
const signal = AbortSignal.any([asked.signal, late]);
for (const name of ["SIGINT", "SIGTERM"] as const) {
  process.once(name, () => asked.abort(new Error(`it was ended by ${name}`)));
}
const tell = (text: string) => void process.stderr.write(`${new Date().toTimeString().slice(0, 8)}  ${text}\n`);
const on = await machine();
const from = performance.now();
const names = args._.length > 0 ? args._.map(String) : Object.keys(BENCHMARKS);
const reports: Report[] = [];
for (const name of names) {
  try {
    const run = await BENCHMARKS[name]?.();
    const { rounds, ms, scale, only } = args;
    const report = await run?.({ rounds, ms, scale, only, tell, signal });
    if (!report) continue;
    reports.push(report);
    process.stdout.write(`${render(report)}\n`);
  } catch (error) {
    process.exitCode = 1;
    tell(`${name} could not be run: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
    const why = error instanceof Error ? error.message.split("\n", 1)[0] : String(error);
    reports.push({ name, title: "not run", rows: [], floors: [], plots: [], notes: [`It could not be run: ${why}`] });
    if (signal.aborted) break;
  }
}
if (args.json !== undefined) await writeFile(args.json, `${JSON.stringify(reports, undefined, 1)}\n`);
if (args.results) tell(`written: ${await writeResults(reports, on, (performance.now() - from) / 1_000)}`);
