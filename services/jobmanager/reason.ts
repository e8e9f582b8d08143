// A failure in one line, for a status, a log or a block's record.

import type { z } from "zod";
import { messageOf as textOf } from "../../lib/thrown.js";

/** What a status or a record may hold. */
export const REASON_CHARACTERS_MAX = 500;

/** The first problem that zod found, with the path to it. */
export function reasonOf(error: z.ZodError): string {
  const [issue] = error.issues;
  if (!issue) return "unknown problem";
  const where = issue.path.length > 0 ? `${issue.path.join(".")}: ` : "";
  return shorten(`${where}${issue.message}`);
}

export const messageOf = (error: unknown): string => textOf(error, REASON_CHARACTERS_MAX);

export const shorten = (text: string): string =>
  text.length <= REASON_CHARACTERS_MAX ? text : `${text.slice(0, REASON_CHARACTERS_MAX - 3)}...`;
