// headframe ps: what discovery knows, instance by instance.

import type { CommandModule } from "yargs";
import { bySeniority, type Instance, Registry } from "../../lib/wiring/index.js";
import { type ConfigOptions, configOptions, readConfig } from "../config.js";
import { toJson } from "../json.js";
import { plainTable } from "../table.js";
import { duration } from "../up/screen.js";
import { visit } from "../visit.js";

interface Arguments extends ConfigOptions {
  readonly json: boolean;
}

export const ps: CommandModule<object, Arguments> = {
  command: "ps",
  describe: "List the running instances, as discovery knows them",
  builder: (yargs) =>
    yargs.options({
      ...configOptions,
      json: { type: "boolean", default: false, describe: "An array of instances, for programs" },
    }),
  handler: async (args) => {
    await visit(readConfig(args), async (house) => {
      const registry = Registry.open({ redis: house.redis.discovery, cluster: house.cluster });
      try {
        const instances = [...(await registry.list())].sort(byService);
        process.stdout.write(args.json ? `${toJson(instances)}\n` : drawInstances(instances, Date.now()));
      } finally {
        await registry.close();
      }
    });
  },
};

const byService = (a: Instance, b: Instance): number =>
  a.service < b.service ? -1 : a.service > b.service ? 1 : bySeniority(a, b);

/** One line an instance; the first of each service is its senior. */
export function drawInstances(instances: readonly Instance[], now: number): string {
  if (instances.length === 0)
    return "No instance is running. `npm start` runs a whole pool; `headframe run` single services.\n";
  const table = plainTable(["left", "left", "left", "right", "right"]);
  table.push(["SERVICE", "INSTANCE", "STATE", "AGE", "PID", "HOST", "ENDPOINT", "VERSION", ""]);
  for (const it of instances) {
    const senior = instances.find((other) => other.service === it.service) === it ? "senior" : "";
    const meta = Object.entries(it.meta).map(([key, value]) => `${key}=${value}`);
    const note = [senior, ...meta].filter(Boolean).join(" ");
    table.push([
      it.service,
      it.id,
      it.state,
      duration(now - it.startedAt),
      it.pid,
      it.host,
      it.endpoint,
      it.version,
      note,
    ]);
  }
  return `${table.toString()}\n`;
}
