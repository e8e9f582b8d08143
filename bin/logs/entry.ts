// One line of a log: what it says, and whether it is looked for. Pure.
//
//   {"level":20,"time":...,"name":"stratum","connection":"...","line":7,"msg":"share recorded"} --parseEntry--> Entry
//
// Redis, HAProxy and the coin daemons write text: such a line is an entry without level and fields.

import type { LogLevel } from "../../lib/wiring/index.js";

/** pino's numbers. */
const NUMBERS: Readonly<Record<Exclude<LogLevel, "silent">, number>> = {
  trace: 10,
  debug: 20,
  info: 30,
  warn: 40,
  error: 50,
  fatal: 60,
};

export interface Entry {
  /** Of the log file: `stratum`, `haproxy`. */
  readonly source: string;
  /** Milliseconds since the epoch; undefined: the line does not say it. */
  readonly time: number | undefined;
  readonly level: number | undefined;
  readonly text: string;
  /** Beside time, level, text and what names the process. */
  readonly fields: Readonly<Record<string, unknown>>;
  readonly pid: number | undefined;
  /** As it was written. */
  readonly line: string;
}

export interface Wanted {
  readonly services: readonly string[];
  /** Least severe. */
  readonly level: Exclude<LogLevel, "silent"> | undefined;
  readonly connection: string | undefined;
  readonly job: string | undefined;
  /** The beginning of its id is enough. */
  readonly share: string | undefined;
  readonly worker: string | undefined;
  /** Anywhere in the line, in any case. */
  readonly text: string | undefined;
}

export function parseEntry(source: string, line: string): Entry {
  const parsed = line.startsWith("{") ? parse(line) : undefined;
  if (!parsed) return { source, line, text: line, time: timeIn(line), level: undefined, pid: undefined, fields: {} };
  const { time, level, msg, pid, hostname: _, name: _name, cluster: _cluster, ...fields } = parsed;
  return {
    ...{ source, line, fields, text: typeof msg === "string" ? msg : "" },
    ...{ time: numberOf(time), level: numberOf(level), pid: numberOf(pid) },
  };
}

/** Of a coin daemon's line (`2026-11-21T10:44:56Z ...`), or of Redis' (`4711:M 21 Nov 2026 10:44:56.120 * ...`). */
function timeIn(line: string): number | undefined {
  const found = /^(\d{4}-\d\d-\d\dT[\d:.]+Z)/.exec(line) ?? /^\d+:[A-Z] (\d\d \w{3} \d{4} [\d:.]+) /.exec(line);
  const time = Date.parse(found?.[1] ?? "");
  return Number.isNaN(time) ? undefined : time;
}

function parse(line: string): Record<string, unknown> | undefined {
  try {
    return JSON.parse(line) as Record<string, unknown>;
  } catch {
    return undefined; // Cut off, or text that looks like JSON: shown as it is.
  }
}

const numberOf = (value: unknown): number | undefined => (typeof value === "number" ? value : undefined);

export function isWanted({ source, level, fields, line }: Entry, wanted: Wanted): boolean {
  if (wanted.services.length > 0 && !wanted.services.includes(source)) return false;
  if (wanted.level !== undefined && (level ?? 0) < NUMBERS[wanted.level]) return false;
  if (wanted.connection !== undefined && fields.connection !== wanted.connection) return false;
  if (wanted.worker !== undefined && !has(fields.worker, wanted.worker)) return false;
  if (wanted.share !== undefined && !String(fields.share ?? "").startsWith(wanted.share.toLowerCase())) return false;
  if (wanted.job !== undefined && jobOf(fields.job) !== jobOf(wanted.job)) return false;
  return wanted.text === undefined || has(line, wanted.text);
}

const has = (value: unknown, part: string): boolean =>
  typeof value === "string" && value.toLowerCase().includes(part.toLowerCase());

/** Each announcement of a job has a name of its own, 7 digits longer than the job's id: they all mean it. */
const jobOf = (value: unknown): string => {
  const name = String(value ?? "").toLowerCase();
  return name.length > JOB_ID_DIGITS ? name.slice(0, -VARIANT_DIGITS) : name;
};
const JOB_ID_DIGITS = 8;
const VARIANT_DIGITS = 7;

export const levelName = (level: number | undefined): string =>
  Object.entries(NUMBERS).find(([, number]) => number === level)?.[0] ?? "";
