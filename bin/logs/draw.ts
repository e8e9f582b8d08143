// A log entry as a person reads it. Pure.
//
//   13:28:25.120  debug  stratum 4711       share recorded  connection=plain/6f1c line=7 job=1a

import { painter, type Style } from "../draw/paint.js";
import { type Entry, levelName } from "./entry.js";

const STYLES: Readonly<Record<string, Style>> = {
  debug: "dim",
  trace: "dim",
  warn: "yellow",
  error: "red",
  fatal: "red",
};

export function drawEntry(entry: Entry, colours: boolean): string {
  const coloured = painter(colours);
  const paint = (style: Style | undefined, text: string) => (style ? coloured(style, text) : text);
  const { time, source, pid, text, fields } = entry;
  const level = levelName(entry.level);
  const when = time === undefined ? "".padEnd(12) : clock(time);
  const who = `${source}${pid === undefined ? "" : ` ${pid}`}`.padEnd(24);
  const facts = Object.entries(fields).filter(([name]) => name !== "err");
  const told = facts.map(([name, value]) => `${paint("dim", `${name}=`)}${show(value)}`).join(" ");
  const head = `${when}  ${paint(STYLES[level], level.padEnd(5))}  ${who}  ${paint(STYLES[level], text)}`;
  return [told === "" ? head : `${head}  ${told}`, ...failure(fields.err)].join("\n");
}

const clock = (time: number): string => {
  const at = new Date(time);
  return `${at.toTimeString().slice(0, 8)}.${String(at.getMilliseconds()).padStart(3, "0")}`;
};

const show = (value: unknown): string =>
  typeof value === "string" && !/\s/.test(value) ? value : (JSON.stringify(value) ?? "");

/** An error's stack, indented; its message where it has none. */
function failure(error: unknown): string[] {
  if (typeof error !== "object" || error === null) return [];
  const { stack, message } = error as { stack?: unknown; message?: unknown };
  const text = typeof stack === "string" ? stack : typeof message === "string" ? message : JSON.stringify(error);
  return text.split("\n").map((line) => `    ${line.trim()}`);
}
