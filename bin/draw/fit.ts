// Fitting a screen: a terminal that is given more lines than it has scrolls, and its first lines are gone. Pure.

import sliceAnsi from "slice-ansi";

/**
 * The first of `variants`, the most detailed first, that leaves `restMin` lines of `rows`; the last one if none does.
 *
 * @param rows Of the terminal; the last one stays free, because the cursor stands there.
 */
export function firstThatFits(
  variants: readonly (readonly string[])[],
  { rows, restMin }: { readonly rows: number; readonly restMin: number },
): readonly string[] {
  return variants.find((lines) => lines.length + restMin <= rows - 1) ?? variants.at(-1) ?? [];
}

/** Exactly what the terminal has room for: the first lines, each cut at the last column. */
export function cut(lines: readonly string[], { columns, rows }: { readonly columns: number; readonly rows: number }) {
  return lines
    .slice(0, Math.max(1, rows - 1))
    .map((line) => sliceAnsi(line, 0, columns))
    .join("\n");
}
