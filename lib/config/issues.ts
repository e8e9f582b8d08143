// What a schema accepts, in words: zod's own phrases speak of programs ("Too big: expected number to be <=65535").

import type { z } from "zod";

type Issue = z.core.$ZodIssue;

const ORIGINS: Readonly<Record<string, string>> = {
  string: "characters",
  array: "entries",
  set: "entries",
  map: "entries",
  record: "keys",
};

/** `at most 65535`, `at least 1 character`, `number`: what belongs behind "expected". */
function accepted(issue: Issue): string | undefined {
  switch (issue.code) {
    case "too_big":
      return `${issue.inclusive === false ? "less than" : "at most"} ${count(issue.maximum, issue.origin)}`;
    case "too_small":
      return `${issue.inclusive === false ? "more than" : "at least"} ${count(issue.minimum, issue.origin)}`;
    case "not_multiple_of":
      return `a multiple of ${issue.divisor}`;
    case "invalid_value":
      return issue.values.map((value) => JSON.stringify(value)).join(" or ");
    default:
      return undefined;
  }
}

const count = (limit: number | bigint, origin: string): string =>
  ORIGINS[origin] === undefined ? `${limit}` : `${limit} ${ORIGINS[origin]}`;

/** What is accepted, as a part of a sentence: `expected at most 65535`. */
export function issueText(issue: Issue): string {
  const words = accepted(issue);
  if (words !== undefined) return `expected ${words}`;
  return issue.message.replace(/^Invalid input: /, "").replace(/, received .*$/, "");
}

/** One line an issue, for a value that came from nobody's file: `limit: expected number`. */
export function issueLines(issues: readonly Issue[]): string[] {
  return issues.map((issue) => `${issue.path.join(".") || "(top level)"}: ${issueText(issue)}`);
}
