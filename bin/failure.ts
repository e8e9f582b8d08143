// How a command fails: one message for people on stderr, an exit code for programs.
//
//   0 done   1 it failed (try again, or see the message)   2 wrong usage or configuration: nothing was started

import { DURATION_MAX_SECONDS } from "../lib/duration.js";
import { asError, messageOf } from "../lib/thrown.js";

/** The command line itself is wrong. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/**
 * What a person must correct before a start. By name: whoever only prints a usage error need not load what throws the others.
 */
const WRONG: readonly string[] = [
  "UsageError",
  "ConfigError",
  "MissingSection",
  "KeyFileError",
  "SecretFileError",
  "IniError",
];

/** A number of seconds that somebody gave as `option`. @throws {UsageError} when no timer can wait for it. */
export function checkSeconds(option: string, seconds: number | undefined, min = 0): void {
  if (seconds === undefined || (seconds >= min && seconds > 0 && seconds <= DURATION_MAX_SECONDS)) return;
  const from = min > 0 ? `from ${min}` : "above 0";
  throw new UsageError(`${option} takes a number of seconds ${from}, at most ${DURATION_MAX_SECONDS}`);
}

export function exitCodeOf(error: unknown): 1 | 2 {
  if (!(error instanceof Error)) return 1;
  const wrongIni = error.name === "CircusError" && "code" in error && error.code === "BAD_OPTION";
  return wrongIni || WRONG.includes(error.name) ? 2 : 1;
}

/** For docs/cli.md. */
export const EXIT_CODES: Readonly<Record<number, string>> = {
  0: "Success.",
  1: "The command failed; the message has the reason. For `doctor`: at least one error was found. A retry may succeed.",
  2: "Wrong usage or configuration; nothing was started or changed. A retry without a change fails again.",
};

/** Of one message: a configuration may have many mistakes. */
const MESSAGE_MAX = 65_536;

/** The message and, indented, what caused it; no stack, which is for developers: HEADFRAME_DEBUG=1 shows it. */
export function explain(error: unknown): string {
  const copy = asError(error);
  if (process.env.HEADFRAME_DEBUG) return copy.stack ?? copy.message;
  const messages = [messageOf(error, MESSAGE_MAX)];
  for (let at = copy.cause; at instanceof Error; at = at.cause) {
    // Most messages quote their cause: once is enough.
    if (!messages.some((message) => message.includes((at as Error).message))) messages.push(at.message);
  }
  return messages.join("\n  because: ");
}
