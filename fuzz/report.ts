// What a run of the fuzzer found: a table for people, and whether it is good.

import Table from "cli-table3";
import type { Fuzzed } from "./run.js";

export function isGood({ crashes, disturbed, memory }: Fuzzed): boolean {
  return crashes.length === 0 && disturbed === 0 && memory.every(({ flat }) => flat);
}

const TOLD_MAX = 10;
const at = (ms: number | undefined): string =>
  ms === undefined ? "" : ` at ${new Date(ms).toTimeString().slice(0, 8)}`;
const megabytes = (bytes: number): string => `${(bytes / (1 << 20)).toFixed(0)} MB`;

export function render(result: Fuzzed): string {
  const table = new Table({ style: { head: [], border: [] } });
  const rows: [string, string | number][] = [
    ["lines sent", result.lines],
    ["lines read by the pool", result.linesRead],
    ["read a second", result.linesPerSecond],
    ["connections made", result.connected],
    ["connections closed", result.closed],
    ["bytes answered", result.heardBytes],
    ["crashes", result.crashes.length],
    ["honest miners", result.honest],
    ["disturbed", result.disturbed],
    ["longest wait of an honest miner, ms", result.stallMaxMs],
    ...Object.entries(result.cpuUs).map(([name, us]): [string, string] => [
      `processor time of ${name}`,
      `${us} us a line`,
    ]),
    ...result.memory.map(({ process, early, late, flat }): [string, string] => [
      `memory of ${process}`,
      `${megabytes(early)} -> ${megabytes(late)}, ${flat ? "flat" : "GROWS"}`,
    ]),
  ];
  for (const [name, value] of rows) table.push({ [name]: value });
  const told = [
    ...result.crashes,
    ...result.broken.map(({ promise, what, client, atMs }) => `${promise} client ${client}: ${what}${at(atMs)}`),
  ];
  const verdict = isGood(result)
    ? `seed ${result.seed}: nobody noticed`
    : `seed ${result.seed}: BAD; the logs are in ${result.logs}`;
  return [table.toString(), verdict, ...told.slice(0, TOLD_MAX).map((line) => `  ${line}`)].join("\n");
}
