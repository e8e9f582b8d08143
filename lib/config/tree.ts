// Settings before they are checked: tables of anything, and where each value came from.

export type Tree = { [key: string]: unknown };

/** Dotted key -> the flag or variable that set it, for messages. */
export type Origins = Map<string, string>;

export const isTree = (value: unknown): value is Tree =>
  typeof value === "object" && value !== null && !Array.isArray(value);
