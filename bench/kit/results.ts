// RESULTS.md: what a full run found, written by the run itself. Nobody types a figure.
//
//   reports, machine --render--> bench/RESULTS.md, bench/results/*.svg

import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ROOT } from "../../bin/paths.js";
import type { Machine } from "./machine.js";
import { met, type Report } from "./report.js";
import { drawPlot } from "./svg.js";
import { cells, HEAD, verdict } from "./table.js";

const FOLDER = join(ROOT, "bench");

export async function writeResults(reports: readonly Report[], machine: Machine, tookS: number): Promise<string> {
  await mkdir(join(FOLDER, "results"), { recursive: true });
  for (const plot of reports.flatMap(({ plots }) => plots)) {
    await writeFile(join(FOLDER, "results", `${plot.name}.svg`), drawPlot(plot));
  }
  const file = join(FOLDER, "RESULTS.md");
  await writeFile(file, resultsText(reports, machine, tookS));
  return file;
}

/** Pure. */
export function resultsText(reports: readonly Report[], machine: Machine, tookS: number): string {
  const { commit, changed, hardware, system, load, versions } = machine;
  const lines = [
    "# Results",
    "",
    "Written by `npm run bench -- --results`. Ratios are to a reference measured in the same run, in turn with it; medians of rounds.",
    "",
    ...bullets([
      `commit ${commit}${changed > 0 ? ` and ${changed} changed files` : ""}`,
      `${hardware}; ${system}; load before the run ${load.toFixed(1)}; took ${Math.round(tookS)} s`,
      Object.entries(versions)
        .map(([name, version]) => `${name} ${version}`)
        .join(", "),
    ]),
    "",
    "## Floors",
    "",
    ...table(
      ["benchmark", "floor", "verdict", "where the time goes (profile of this run)"],
      reports.flatMap(({ name, floors }) =>
        floors.map((floor) => [name, floor.what, verdict(floor), met(floor) ? "" : (floor.profile ?? "")]),
      ),
    ),
    "",
    ...reports.flatMap(section),
  ];
  return `${lines.join("\n").trimEnd()}\n`;
}

function section({ name, title, rows, plots, notes }: Report): string[] {
  return [
    `## ${name}: ${title}`,
    "",
    ...table(HEAD, rows.map(cells)),
    "",
    ...bullets(notes),
    ...(notes.length > 0 ? [""] : []),
    ...plots.flatMap((plot) => [`![${plot.title}](results/${plot.name}.svg)`, ""]),
  ];
}

const bullets = (items: readonly string[]): string[] => items.map((item) => `- ${item}`);

function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const row = (of: readonly string[]) => `| ${of.map((cell) => cell.replace(/\|/g, "\\|")).join(" | ")} |`;
  return [row(head), row(head.map(() => "---")), ...rows.map(row)];
}
