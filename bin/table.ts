// Tables for a terminal: columns, no lines around them.

import Table from "cli-table3";

const LINES = [
  ...["top", "top-mid", "top-left", "top-right", "bottom", "bottom-mid", "bottom-left", "bottom-right"],
  ...["left", "left-mid", "mid", "mid-mid", "right", "right-mid"],
];
const NO_LINES = Object.fromEntries(LINES.map((name) => [name, ""]));

/** @param aligns of the columns from the left; the rest stands left. */
export function plainTable(aligns: readonly ("left" | "right" | "center")[] = []): Table.Table {
  return new Table({
    chars: { ...NO_LINES, middle: "  " },
    style: { "padding-left": 0, "padding-right": 0, head: [], border: [] },
    colAligns: [...aligns],
  });
}
