// What is wrong with a message, in one line.

import type { z } from "zod";

/** Issues named; the first ones say enough. */
const ISSUES_MAX = 3;

/** `events[3].handle: Invalid input: expected number, received string; ...` */
export function explain(error: z.ZodError): string {
  const named = error.issues.slice(0, ISSUES_MAX).map((issue) => {
    const path = issue.path.map((key) => (typeof key === "number" ? `[${key}]` : `.${String(key)}`)).join("");
    return `${path.replace(/^\./, "") || "message"}: ${issue.message}`;
  });
  const more = error.issues.length - named.length;
  return named.join("; ") + (more > 0 ? `; and ${more} more` : "");
}
