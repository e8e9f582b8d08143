// From a watcher's command line to the words that are executed. Pure.
//
//   `node main.js --name "a b"` -> ["node", "main.js", "--name", "a b"]
//
//   M1. Words are split as a POSIX shell splits them (quotes, backslashes), but nothing is expanded: no glob, no variable.
//   M2. Limits are set by util-linux's `prlimit`, which then becomes the program itself: same process, same pid. (Node has
//       no setrlimit.)

export class CommandError extends Error {
  override readonly name = "CommandError";
}

/** @throws {CommandError} when a quote is not closed. */
export function splitWords(text: string): string[] {
  const words: string[] = [];
  let word: string | undefined;
  let quote = "";
  for (let i = 0; i < text.length; i++) {
    const char = text.charAt(i);
    if (quote === "'" ? char !== "'" : quote === '"' ? char !== '"' && char !== "\\" : !/[\s'"\\]/.test(char)) {
      word = (word ?? "") + char;
    } else if (char === quote) {
      quote = "";
    } else if (char === "\\") {
      const next = text.charAt(++i);
      // Inside double quotes a backslash only escapes what would be special there.
      word = (word ?? "") + (quote === '"' && !/["\\]/.test(next) ? `\\${next}` : next);
    } else if (char === "'" || char === '"') {
      quote = char;
      word ??= "";
    } else if (word !== undefined) {
      words.push(word);
      word = undefined;
    }
  }
  if (quote !== "") throw new CommandError(`a ${quote} is not closed in ${JSON.stringify(text)}`);
  if (word !== undefined) words.push(word);
  return words;
}

/** Names that `rlimit_NAME` accepts: those of prlimit(1). */
export const RLIMITS = [
  "as",
  "core",
  "cpu",
  "data",
  "fsize",
  "locks",
  "memlock",
  "msgqueue",
  "nice",
  "nofile",
  "nproc",
  "rss",
  "rtprio",
  "rttime",
  "sigpending",
  "stack",
] as const;

/**
 * @param rlimits Name (see RLIMITS) -> value, soft and hard; undefined means unlimited.
 */
export function commandWords(command: {
  readonly cmd: string;
  readonly args: readonly string[];
  readonly shell: boolean;
  readonly rlimits: Readonly<Record<string, number | undefined>>;
}): readonly string[] {
  // Like Python's Popen(shell=True): what follows the script are its positional parameters.
  const words = command.shell
    ? ["/bin/sh", "-c", command.cmd, ...command.args]
    : [...splitWords(command.cmd), ...command.args];
  const limits = Object.entries(command.rlimits).map(([name, value]) => {
    const text = value === undefined ? "unlimited" : String(value);
    return `--${name}=${text}:${text}`;
  });
  return limits.length === 0 ? words : ["prlimit", ...limits, "--", ...words];
}
