// How a command fails: one message for people on stderr, an exit code for programs.
//
//   0 done   1 it failed (try again, or see the message)   2 wrong usage or configuration: nothing was started

import { CircusError, IniError } from "../circus/index.js";
import { ConfigError } from "../lib/config/index.js";
import { KeyFileError } from "../lib/wiring/index.js";
import { MissingSection } from "./services.js";

/** The command line itself is wrong. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** What a person must correct before a start. */
const WRONG = [UsageError, ConfigError, MissingSection, KeyFileError, IniError];

export const exitCodeOf = (error: unknown): 1 | 2 =>
  WRONG.some((kind) => error instanceof kind) || isWrongIni(error) ? 2 : 1;

const isWrongIni = (error: unknown): boolean => error instanceof CircusError && error.code === "BAD_OPTION";

const CAUSES_MAX = 8;

/** The message and, indented, what caused it; no stack, which is for developers: HEADFRAME_DEBUG=1 shows it. */
export function explain(error: unknown): string {
  if (process.env.HEADFRAME_DEBUG && error instanceof Error) return error.stack ?? error.message;
  const messages: string[] = [];
  for (let at = error; at !== undefined && at !== null && messages.length < CAUSES_MAX; ) {
    messages.push(at instanceof Error ? at.message : String(at));
    at = at instanceof Error ? at.cause : undefined;
  }
  return messages.join("\n  because: ");
}
