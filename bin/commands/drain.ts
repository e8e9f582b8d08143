// headframe drain INSTANCE: that instance takes nothing new, finishes what it has, and ends for good; with --replace another one
// is in its place before.

import { hostname } from "node:os";
import type { CommandModule } from "yargs";
import { type Instance, Registry } from "../../lib/wiring/index.js";
import { type Config, type ConfigOptions, configOptions, readConfig } from "../config.js";
import { swapEdge } from "../manage/keeper.js";
import { findManager, type Manager, managerOptions } from "../manage/manager.js";
import { Progress, seconds } from "../manage/progress.js";
import { swapRolling } from "../manage/swap.js";
import { visit } from "../visit.js";

interface Arguments extends ConfigOptions {
  readonly instance: string;
  readonly endpoint: string | undefined;
  readonly replace: boolean;
  readonly force: boolean;
}

export const drain: CommandModule<object, Arguments> = {
  command: "drain <instance>",
  describe: "Let one instance finish and end; the others take over what it had",
  builder: (yargs) =>
    yargs
      .positional("instance", { type: "string", demandOption: true, describe: "Its id, as `headframe ps` lists it" })
      .options({
        ...configOptions,
        ...managerOptions,
        replace: { type: "boolean", default: false, describe: "Start another one in its place first" },
        force: { type: "boolean", default: false, describe: "Even if it is the last one of its service" },
      })
      .example("headframe drain stratum-1f0c9a2e", "one fewer from now on, until the pool is started again"),
  handler: async (args) => {
    const config = readConfig(args);
    await visit(config, async (house) => {
      const registry = Registry.open({ redis: house.redis.discovery, cluster: house.cluster });
      try {
        await drainInstance(args, config, registry);
      } finally {
        await registry.close();
      }
    });
  },
};

async function drainInstance(args: Arguments, config: Config, registry: Registry): Promise<void> {
  const all = await registry.list();
  const instance = all.find(({ id }) => id === args.instance);
  if (!instance) throw new Error(`there is no instance ${args.instance}: see \`headframe ps\``);
  const { host, pid, service } = instance;
  if (host !== hostname()) throw new Error(`${instance.id} runs on ${host}: give the command there`);
  const manager = findManager(args.endpoint, config);
  const shared = { manager, instances: () => registry.list(service), tell: say };
  if (service === "edge") {
    if (instance.state !== "ready") throw new Error(`${instance.id} serves nobody: it stands by for the serving edge`);
    say(`${instance.id} gives its clients to a fresh edge: an edge is always replaced`);
    return finish(instance, await swapEdge(shared));
  }
  const watcher = await manager.ownerOf(pid);
  if (watcher === undefined) {
    throw new Error(`${instance.id} (pid ${pid}) is no process of the manager at ${manager.endpoint}: send it SIGTERM`);
  }
  if (args.replace) return finish(instance, await swapRolling({ ...shared, watcher, service, pid }));
  const others = all.filter((it) => it.service === service && it.state === "ready" && it.id !== instance.id);
  if (others.length === 0 && !args.force) {
    throw new Error(`${instance.id} is the last ready ${service}: use --replace, or --force if ${service} shall stop`);
  }
  await retire(instance, watcher, shared);
}

async function retire(
  instance: Instance,
  watcher: string,
  { manager, instances }: { manager: Manager; instances(): Promise<readonly Instance[]> },
): Promise<void> {
  const progress = new Progress({ pids: () => manager.pids(watcher), instances, tell: say });
  await progress.start();
  try {
    await manager.retire(watcher, instance.pid);
  } finally {
    await progress.stop();
  }
  say(
    `${instance.id} drained in ${seconds(progress.ms)}; ${watcher} has one process fewer until the pool is started again`,
  );
}

function finish({ id }: Instance, report: { ok: boolean; reason?: string; ms: number }): void {
  if (!report.ok) throw new Error(`${id} was not drained, it stays\n${report.reason}`);
  say(`${id} drained in ${seconds(report.ms)}; another one is in its place`);
}

const say = (line: string): void => void process.stdout.write(`${new Date().toTimeString().slice(0, 8)}  ${line}\n`);
