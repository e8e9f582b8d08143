// A sparkline: the course of a figure in one line of text. Pure.

const BARS = "▁▂▃▄▅▆▇█";

/**
 * The newest `width` values, oldest first, from 0 to the greatest of them.
 *
 * @returns exactly `width` characters: blanks stand where there is no value yet.
 */
export function sparkline(values: readonly number[], width: number): string {
  const shown = values.slice(-width);
  const top = Math.max(...shown, 0);
  const bar = (value: number) => BARS[top > 0 ? Math.round((Math.max(0, value) / top) * (BARS.length - 1)) : 0] ?? "";
  return shown.map(bar).join("").padStart(width);
}
