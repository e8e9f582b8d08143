// cli: the command line as a whole, for whoever runs it (headframe.ts) and whoever writes it down (docs/cli.ts).
//
//   words -> the one command that they name is loaded, or all of them -> yargs -> handler
//
//   L1. Only what is asked for is loaded: a command starts in half the time.
//   L2. What is unknown is answered with the nearest that is known: commands by yargs, flags here.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import yargs, { type Argv } from "yargs";
import { nearest } from "../lib/config/nearest.js";
import { UsageError } from "./failure.js";
import { ROOT } from "./paths.js";

const WIDTH_MAX = 110;

type Add = (all: Argv) => Promise<Argv>;

/** Every command, in the order of `--help`. */
export const COMMANDS: Readonly<Record<string, Add>> = {
  up: async (all) => all.command((await import("./commands/up.js")).up),
  run: async (all) => all.command((await import("./commands/run.js")).run),
  ps: async (all) => all.command((await import("./commands/ps.js")).ps),
  top: async (all) => all.command((await import("./commands/top.js")).top),
  miners: async (all) => all.command((await import("./commands/miners.js")).miners),
  shares: async (all) => all.command((await import("./commands/shares.js")).shares),
  blocks: async (all) => all.command((await import("./commands/blocks.js")).blocks),
  rounds: async (all) => all.command((await import("./commands/rounds.js")).rounds),
  swap: async (all) => all.command((await import("./commands/swap.js")).swap),
  drain: async (all) => all.command((await import("./commands/drain.js")).drain),
  doctor: async (all) => all.command((await import("./commands/doctor.js")).doctor),
  logs: async (all) => all.command((await import("./commands/logs.js")).logs),
  "log-level": async (all) => all.command((await import("./commands/log-level.js")).logLevel),
  call: async (all) => all.command((await import("./commands/call.js")).call),
  subscribe: async (all) => all.command((await import("./commands/subscribe.js")).subscribe),
  config: async (all) => all.command((await import("./commands/config.js")).config),
  keys: async (all) => all.command((await import("./commands/keys.js")).keys),
};

/** Words that are no command of ours and concern all of them. */
const COMPLETION = "completion";

/** @param columns Of the terminal. */
async function build(words: readonly string[], columns: number): Promise<Argv> {
  const one = Object.hasOwn(COMMANDS, words[0] ?? "") ? COMMANDS[words[0] ?? ""] : undefined;
  let all = yargs([...words])
    .scriptName("headframe")
    .locale("en")
    .usage(
      "$0 COMMAND\n\nRuns a mining pool, or your own services, and keeps clients connected while everything behind them is restarted.",
    );
  for (const add of one ? [one] : Object.values(COMMANDS)) all = await add(all); // L1
  return all
    .completion(COMPLETION, "Print a script for bash or zsh that completes commands and flags")
    .demandCommand(1, "name a command, such as `headframe up`")
    .recommendCommands()
    .strict()
    .wrap(Math.min(WIDTH_MAX, columns))
    .version(ownVersion())
    .help()
    .alias("help", "h")
    .epilogue("`headframe COMMAND --help` describes a command. Start with `npm start`.")
    .exitProcess(false)
    .fail((message, error) => {
      if (error && error.name !== "YError") throw error; // A command's own. YError: what yargs thinks of the words.
      throw new UsageError(`${message}\nSee \`headframe --help\`.`);
    });
}

/** Of the package. */
export function ownVersion(): string {
  const { version } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as { version: string };
  return version;
}

/** @throws {UsageError} for whatever is wrong with the words; else what the command throws. */
export async function runCli(words: readonly string[], columns = process.stdout.columns ?? WIDTH_MAX): Promise<void> {
  const all = await build(words, columns);
  try {
    await all.parseAsync();
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    const unknown = /^Unknown arguments?: (.+)$/m.exec(error.message)?.[1];
    if (unknown) throw new UsageError(withSuggestions(error.message, unknown.split(", "), await helpOf(words)));
    if (!error.message.startsWith("Not enough non-option arguments")) throw error;
    const [usage = ""] = (await helpOf(words)).split("\n");
    throw new UsageError(`an argument is missing: ${usage}\nSee \`${usage.replace(/ [<[].*/, "")} --help\`.`);
  }
}

/** What `headframe WORDS --help` prints. */
export async function helpOf(words: readonly string[]): Promise<string> {
  const commands = words.filter((word) => /^[a-z-]+$/.test(word) && !word.startsWith("-"));
  for (let depth = Math.min(2, commands.length); depth > 0; depth--) {
    const all = await build(commands.slice(0, depth), WIDTH_MAX);
    const help = await all.getHelp().catch(() => undefined);
    if (help !== undefined) return help;
  }
  return (await build([], WIDTH_MAX)).getHelp();
}

/** L2. Pure. */
export function withSuggestions(message: string, unknown: readonly string[], help: string): string {
  const known = [...new Set([...help.matchAll(/--([a-z][a-z-]*)/g)].flatMap(([, name]) => name ?? []))];
  const hints = unknown.flatMap((name) => {
    const near = nearest(name, known);
    return near === undefined ? [] : [`Did you mean --${near}?`];
  });
  const [first = "", ...rest] = message.split("\n");
  return [[first, ...hints].join(" "), ...rest].join("\n");
}
