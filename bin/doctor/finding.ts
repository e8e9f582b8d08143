// A finding of `headframe doctor`: what was looked at, how it is, and the command that mends it. Pure.

import { painter } from "../draw/paint.js";

export type Verdict = "good" | "warning" | "bad";

export interface Finding {
  /** What was looked at: `Redis at redis://...`, `port 3333`. */
  readonly what: string;
  readonly verdict: Verdict;
  readonly text: string;
  /** A command, or what to set; missing only where nothing is wrong. */
  readonly mend?: string;
}

export const good = (what: string, text: string): Finding => ({ what, verdict: "good", text });
/** It works, and will not always. */
export const warning = (what: string, text: string, mend: string): Finding => ({
  what,
  verdict: "warning",
  text,
  mend,
});
/** Something does not work, or shares can be lost. */
export const bad = (what: string, text: string, mend: string): Finding => ({ what, verdict: "bad", text, mend });

const MARKS = { good: ["green", "ok  "], warning: ["yellow", "warn"], bad: ["red", "BAD "] } as const;

export function drawFindings(findings: readonly Finding[], colours: boolean): string {
  const width = Math.max(0, ...findings.map(({ what }) => what.length));
  const paint = painter(colours);
  const lines = findings.flatMap(({ what, verdict, text, mend }) => {
    const [style, mark] = MARKS[verdict];
    const head = `${paint(style, mark)}  ${what.padEnd(width)}  ${text}`;
    return mend === undefined ? [head] : [head, `${" ".repeat(width + 8)}fix: ${mend}`];
  });
  const count = (verdict: Verdict) => findings.filter((it) => it.verdict === verdict).length;
  const wrong = `${plural(count("bad"), "error")}, ${plural(count("warning"), "warning")}, ${count("good")} ok`;
  return `${[...lines, "", wrong].join("\n")}\n`;
}

const plural = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? "" : "s"}`;
