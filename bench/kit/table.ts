// A report for a terminal.

import { plainTable } from "../../bin/table.js";
import { type Floor, met, type Report, type Row } from "./report.js";

export const figure = (value: number | undefined, digits = 3): string => {
  if (value === undefined || Number.isNaN(value)) return "";
  if (Math.abs(value) >= 1_000) return Math.round(value).toLocaleString("en-US");
  return String(Number(value.toPrecision(digits)));
};

export const HEAD = ["", "n", "p50 us", "p99", "p99.9", "rate /s", "CPU us/op", "MB", "ratio"];

export const cells = ({ what, n, p50, p99, p999, rate, cpuUs, memoryMb, ratio, to }: Row): string[] => [
  what,
  figure(n),
  ...[p50, p99, p999, rate, cpuUs, memoryMb].map((it) => figure(it)),
  ratio === undefined ? "" : `${figure(ratio)} x ${to}`,
];

export const verdict = (floor: Floor): string => {
  const { sense, limit, found, unit } = floor;
  const text = `${figure(found)} ${unit}, ${sense} ${figure(limit)} wanted`;
  if (met(floor)) return `met: ${text}`;
  const missing = sense === "at least" ? 1 - found / limit : found / limit - 1;
  return `MISSED by ${Math.ceil(100 * missing)} %: ${text}`;
};

export function render({ name, title, rows, floors, notes }: Report): string {
  const table = plainTable(["left", ...HEAD.slice(1).map(() => "right" as const)]);
  table.push(HEAD, ...rows.map(cells));
  const judged = floors.map((floor) => `  ${floor.what}: ${verdict(floor)}`);
  return [`${name}: ${title}`, "", table.toString(), "", ...judged, ...notes.map((note) => `  ${note}`), ""].join("\n");
}
