// docs/cli.md: the command line's own help, command by command, as it prints it.

import { COMMANDS, helpOf } from "./cli.js";
import { EXIT_CODES } from "./failure.js";

/** Commands with commands of their own. */
const INNER: Readonly<Record<string, readonly string[]>> = {
  shares: ["tail"],
  config: ["check", "show", "init"],
};

export async function commandLine(note: string): Promise<string> {
  const intro = [
    "# The command line",
    note,
    "In a checkout, type `node dist/bin/headframe.js` for `headframe`. In the folder of a running pool, commands need no `--config`.",
    "Results go to stdout, with `--json` as JSON. Errors, and progress on a terminal, go to stderr. `headframe completion >> ~/.bashrc`",
    "installs completion of commands and flags. With `HEADFRAME_DEBUG=1` errors have stacks, and the wiring logs to stderr.",
    "",
    "## Exit codes",
    "",
    "| code | meaning |",
    "| --- | --- |",
    ...Object.entries(EXIT_CODES).map(([code, meaning]) => `| ${code} | ${meaning} |`),
  ];
  const sections: string[] = [];
  for (const name of Object.keys(COMMANDS)) {
    for (const words of [[name], ...(INNER[name] ?? []).map((inner) => [name, inner])]) {
      const help = withoutCommon(await helpOf(words));
      sections.push(`\n## headframe ${words.join(" ")}\n`, "```text", help, "```");
    }
  }
  return `${[...intro, ...sections].join("\n")}\n`;
}

/** What every command has. */
const withoutCommon = (help: string): string =>
  help
    .split("\n")
    .filter((line) => !/^\s+(--version|-h, --help)\s/.test(line) && !line.startsWith("`headframe COMMAND"))
    .map((line) => line.trimEnd())
    .join("\n")
    .trim();
