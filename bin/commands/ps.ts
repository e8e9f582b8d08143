// headframe ps: what discovery knows, instance by instance.

import type { CommandModule } from "yargs";
import { bySeniority, type Instance } from "../../lib/wiring/index.js";
import { type ConfigOptions, configOptions, readConfig } from "../config.js";
import { toJson } from "../json.js";
import { Loads } from "../loads.js";
import { patiently } from "../patience.js";
import { Reach } from "../reach.js";
import { plainTable } from "../table.js";
import { duration } from "../up/screen.js";
import { visit } from "../visit.js";

interface Arguments extends ConfigOptions {
  readonly json: boolean;
  readonly wide: boolean;
}

/** `headframe doctor` says why. */
const UNREACHABLE = "does not answer";
/** A table with every field is wider than most terminals, and a wrapped line is hard to read. */
const WIDE_COLUMNS = 160;

export const ps: CommandModule<object, Arguments> = {
  command: "ps",
  describe: "List the running instances, as registered in discovery",
  builder: (yargs) =>
    yargs.options({
      ...configOptions,
      wide: {
        alias: "w",
        type: "boolean",
        default: false,
        describe:
          "Also print host, endpoint and metadata; default if the terminal is wide enough or output is not a terminal",
      },
      json: {
        type: "boolean",
        default: false,
        describe:
          "Print an array of instances with senior (the leader), load (clients or null) and unreachable (the reason)",
      },
    }),
  handler: async (args) => {
    await visit(readConfig(args), async (house) => {
      const instances = [...(await house.list())].sort(byService);
      // The house closes their clients.
      const asked = Promise.all([new Loads(house).of(instances), new Reach(house).unreachable(instances)]);
      const [loads, unreachable] = await patiently("the instances", asked);
      const told = instances.map((it) => ({
        ...it,
        senior: isSenior(it, instances),
        load: loads.get(it.id) ?? null,
        ...(unreachable.has(it.id) && { unreachable: unreachable.get(it.id) }),
      }));
      const wide = args.wide || !process.stdout.isTTY || process.stdout.columns >= WIDE_COLUMNS;
      process.stdout.write(
        args.json ? `${toJson(told)}\n` : drawInstances(instances, Date.now(), loads, wide, unreachable),
      );
    });
  },
};

const byService = (a: Instance, b: Instance): number =>
  a.service < b.service ? -1 : a.service > b.service ? 1 : bySeniority(a, b);

/** The eldest of those that are ready leads its service; where none is, nobody does. */
export function isSenior(it: Instance, instances: readonly Instance[]): boolean {
  const ready = instances.filter(({ service, state }) => service === it.service && state === "ready");
  return ready.sort(bySeniority)[0]?.id === it.id;
}

/** One line an instance. */
export function drawInstances(
  instances: readonly Instance[],
  now: number,
  loads: ReadonlyMap<string, number> = new Map(),
  wide = true,
  unreachable: ReadonlyMap<string, string> = new Map(),
): string {
  if (instances.length === 0)
    return "No instance is running. `npm start` runs a whole pool; `headframe run` single services.\n";
  const table = plainTable(["left", "left", "left", "right", "right", "right"]);
  const where = wide ? ["HOST", "ENDPOINT"] : [];
  table.push(["SERVICE", "INSTANCE", "STATE", "AGE", "CLIENTS", "PID", ...where, "VERSION", ""]);
  for (const it of instances) {
    const meta = Object.entries(it.meta).map(([key, value]) => `${key}=${value}`);
    const note = [
      unreachable.has(it.id) ? UNREACHABLE : "",
      isSenior(it, instances) ? "senior" : "",
      ...(wide ? meta : []),
    ]
      .filter(Boolean)
      .join(" ");
    const told = [duration(now - it.startedAt), loads.get(it.id) ?? "-", it.pid];
    table.push([it.service, it.id, it.state, ...told, ...(wide ? [it.host, it.endpoint] : []), it.version, note]);
  }
  return `${table.toString()}\n`;
}
