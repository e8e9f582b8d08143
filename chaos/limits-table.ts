// The table of docs/promises.md: what a client may wait while each kind of fault is felt, by whose word, and why that much.

import { KINDS } from "./kinds.js";

/** Markdown, a line a kind. */
export function limitsTable(): string {
  const rows = KINDS.map(({ name, stallMaxMs, lasting, promise, why }) => {
    const limit = `${stallMaxMs / 1_000} s${lasting ? " and its time" : ""}`;
    return `| ${name} | ${limit} | ${promise} | ${why} |`;
  });
  return ["| fault | limit | promise | why |", "| --- | --- | --- | --- |", ...rows].join("\n");
}
