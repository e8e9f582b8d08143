// headframe top: the pool as it is now, again and again. Full-screen on a terminal; elsewhere a line a look.
//
//   Collector.look() every --every seconds -> History -> screen, line, or JSON

import { setTimeout as delay } from "node:timers/promises";
import type { CommandModule } from "yargs";
import { type ConfigOptions, configOptions, readConfig } from "../config.js";
import { checkSeconds, UsageError } from "../failure.js";
import { toJson } from "../json.js";
import { Collector } from "../top/collect.js";
import { drawTop, drawTopLine } from "../top/draw.js";
import { History } from "../top/history.js";
import { openScreen } from "../top/screen.js";
import { type Look, SORTS, type Sort, type TopView } from "../top/view.js";
import { untilAsked } from "../until-asked.js";
import { visit } from "../visit.js";

interface Arguments extends ConfigOptions {
  readonly every: number;
  readonly count: number | undefined;
  readonly sort: Sort;
  readonly json: boolean;
}

export const top: CommandModule<object, Arguments> = {
  command: "top",
  describe: "Show the pool live: hashrate, shares, instances, workers",
  builder: (yargs) =>
    yargs
      .options({
        ...configOptions,
        every: { type: "number", default: 2, requiresArg: true, describe: "Seconds between two updates" },
        count: { alias: "n", type: "number", requiresArg: true, describe: "Exit after this many updates" },
        sort: { choices: SORTS, default: "hashrate" as const, describe: "Order of the workers; press s to change it" },
        json: { type: "boolean", default: false, describe: "Print one JSON object per update" },
      })
      .example("headframe top -n 1", "one look, as one line when it is piped"),
  handler: async (args) => {
    checkSeconds("--every", args.every, 0.1);
    if (args.count !== undefined && !(args.count >= 1)) throw new UsageError("--count takes a number from 1 on");
    await visit(readConfig(args), async (house) => {
      const collector = new Collector(house);
      try {
        await (process.stdout.isTTY && !args.json ? show(collector, args) : print(collector, args));
      } finally {
        await collector.close();
      }
    });
  },
};

async function print(collector: Collector, args: Arguments): Promise<void> {
  const history = new History();
  for await (const look of looks(collector, args, untilAsked())) {
    history.add(look);
    const view = history.view(look, args.sort);
    process.stdout.write(`${args.json ? toJson(forPrograms(view), 0) : drawTopLine(view)}\n`);
  }
}

async function show(collector: Collector, args: Arguments): Promise<void> {
  const history = new History();
  const quit = new AbortController();
  const asked = AbortSignal.any([untilAsked(), quit.signal]);
  let sort = args.sort;
  let last: Look | undefined;
  const screen = openScreen(process.stdout, process.stdin, (key) => {
    if (key === "q") quit.abort();
    if (key === "s") sort = SORTS[(SORTS.indexOf(sort) + 1) % SORTS.length] ?? "hashrate";
    draw();
  });
  const draw = () => {
    const { columns, rows } = process.stdout;
    if (last) screen.draw(drawTop(history.view(last, sort), { columns, rows, colours: process.stdout.hasColors() }));
  };
  process.stdout.on("resize", draw);
  try {
    screen.draw("looking ...");
    for await (const look of looks(collector, args, asked)) {
      history.add(look);
      last = look;
      draw();
    }
  } finally {
    process.stdout.off("resize", draw);
    screen.close();
  }
}

async function* looks(collector: Collector, { every, count }: Arguments, asked: AbortSignal): AsyncGenerator<Look> {
  for (let done = 0; !asked.aborted && done !== count; done++) {
    if (done > 0) await delay(every * 1_000, undefined, { signal: asked }).catch(() => {});
    if (!asked.aborted) yield await collector.look();
  }
}

const forPrograms = ({ courses: _, hashrates: _all, sharesPerSecond, loads, ...view }: TopView) => ({
  ...view,
  sharesPerSecond: sharesPerSecond.at(-1) ?? null,
  loads: Object.fromEntries(loads),
});
