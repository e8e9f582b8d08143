// headframe logs: the logs of the pool that runs here (or ran here last), merged by time, filtered, made readable.
//
//   run/current/logs/*.log -> lines -> filter -> one line each for people, or as they are (--json)

import type { CommandModule } from "yargs";
import { logLevel } from "../../lib/wiring/index.js";
import { type ConfigOptions, configOptions, readConfig } from "../config.js";
import { UsageError } from "../failure.js";
import { drawEntry } from "../logs/draw.js";
import { type Entry, isWanted, parseEntry, type Wanted } from "../logs/entry.js";
import { type Line, LogFiles, newestLogs } from "../logs/files.js";
import { untilAsked } from "../until-asked.js";

interface Arguments extends ConfigOptions, Omit<Wanted, "services"> {
  readonly service: readonly string[];
  readonly follow: boolean;
  readonly lines: number;
  readonly folder: string | undefined;
  readonly json: boolean;
}

const LEVELS = logLevel.exclude(["silent"]).options;

export const logs: CommandModule<object, Arguments> = {
  command: "logs [text]",
  describe: "Print the logs of the pool running in this folder; filter by service, level, connection, job or share",
  builder: (yargs) =>
    yargs
      .positional("text", { type: "string", describe: "Only lines that contain this text" })
      .options({
        ...configOptions,
        service: {
          type: "string",
          array: true,
          requiresArg: true,
          default: [] as string[],
          describe: "Only the logs of this service (may be repeated)",
        },
        level: { choices: LEVELS, describe: "Only lines of this level and above" },
        connection: { type: "string", requiresArg: true, describe: "Only lines with this connection id" },
        job: {
          type: "string",
          requiresArg: true,
          describe: "Only lines about this job: its id, or the name that a miner submits",
        },
        share: { type: "string", requiresArg: true, describe: "Only lines about the share whose id starts with this" },
        worker: { type: "string", requiresArg: true, describe: "Only lines about workers whose name contains this" },
        follow: { alias: "f", type: "boolean", default: false, describe: "Keep printing new lines until Ctrl-C" },
        lines: { alias: "n", type: "number", default: 100, requiresArg: true, describe: "Number of most recent lines" },
        folder: { type: "string", requiresArg: true, describe: "Folder with the logs of another run" },
        json: { type: "boolean", default: false, describe: "Print the lines unchanged, as JSON" },
      })
      .example("headframe logs -f --level warn", "warnings and errors as they happen")
      .example("headframe log-level all debug --for 60", "then all processes log every share")
      .example("headframe logs --share 9cbedb59", "all lines about one share"),
  handler: async (args) => {
    if (!(args.lines >= 0)) throw new UsageError("--lines takes a number from 0 on");
    const { runDirectory } = readConfig(args);
    const folder = args.folder ?? (await newestLogs(runDirectory));
    if (folder === undefined) {
      throw new Error(`no pool ran here yet: there is no run in ${runDirectory}. Name a folder of logs with --folder`);
    }
    const files = new LogFiles(folder);
    try {
      await print(files, args);
    } finally {
      await files.close();
    }
  },
};

async function print(files: LogFiles, args: Arguments): Promise<void> {
  const wanted: Wanted = { ...args, services: args.service };
  const colours = process.stdout.isTTY && process.stdout.hasColors();
  const write = (entries: readonly Entry[]) => {
    const lines = entries.map((entry) => `${args.json ? entry.line : drawEntry(entry, colours)}\n`);
    process.stdout.write(lines.join(""));
  };
  const found = pick(await files.read(), wanted);
  write(args.lines === 0 ? [] : found.slice(-args.lines));
  if (!args.follow) return;
  for await (const lines of files.follow(untilAsked())) write(pick(lines, wanted));
}

/** The wanted ones by time; a line without one stands where the line before it in its file stands. */
export function pick(lines: readonly Line[], wanted: Wanted): Entry[] {
  const times = new Map<string, number>();
  const entries = lines.map(({ source, text }) => {
    const entry = parseEntry(source, text);
    const at = entry.time ?? times.get(source) ?? 0;
    times.set(source, at);
    return { entry, at };
  });
  const ways = waysOf(entries, wanted);
  const { share: _, ...rest } = wanted;
  const isOnWay = (entry: Entry) => ways.has(wayOf(entry)) && isWanted(entry, { ...rest, share: undefined });
  return entries
    .filter(({ entry }) => isWanted(entry, wanted) || isOnWay(entry))
    .sort((a, b) => a.at - b.at)
    .map(({ entry }) => entry);
}

/** A share's line is in the edge's log before anybody knows which share it is: it is found by connection and line. */
function waysOf(entries: readonly { readonly entry: Entry }[], wanted: Wanted): ReadonlySet<string> {
  if (wanted.share === undefined) return new Set();
  const found = entries.filter(({ entry }) => isWanted(entry, wanted)).map(({ entry }) => wayOf(entry));
  return new Set(found.filter((way) => way !== ""));
}

const wayOf = ({ fields }: Entry): string =>
  fields.connection === undefined || fields.line === undefined ? "" : `${fields.connection}#${fields.line}`;
