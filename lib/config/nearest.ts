// The known name that somebody probably meant.

import leven from "leven";

/** Letters that may differ: two slips of the finger, and never the whole word. */
const SLIPS_MAX = 2;

/** Undefined: none is near enough to be worth suggesting. Upper and lower case count as the same. */
export function nearest(name: string, known: Iterable<string>): string | undefined {
  const [best] = [...known]
    .map((each) => ({ each, slips: leven(each.toLowerCase(), name.toLowerCase()) }))
    .sort((a, b) => a.slips - b.slips);
  return best && best.slips <= SLIPS_MAX && best.slips < name.length ? best.each : undefined;
}
