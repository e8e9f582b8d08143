// Retire: one instance finishes what it has and ends, for good or with another one in its place first; whoever asks (the command
// line, the dashboard).

import { seenHere } from "../../lib/process-mark.js";
import type { Instance, Registry } from "../../lib/wiring/index.js";
import { UsageError } from "../failure.js";
import { alone } from "./alone.js";
import { KEEPER_WATCHER, swapEdge } from "./keeper.js";
import type { Manager } from "./manager.js";
import { Progress, seconds } from "./progress.js";
import { type SwapReport, swapRolling } from "./swap.js";

export interface RetireOptions {
  readonly registry: Pick<Registry, "list">;
  /** Asked for only when it is needed. */
  manager(): Manager;
  /** Another one is ready before this one leaves. */
  readonly replace: boolean;
  /** Even if it is the last one of its service. */
  readonly force: boolean;
  tell(line: string): void;
}

export interface RetireReport {
  readonly instance: string;
  /** Another one is in its place. */
  readonly replaced: boolean;
  readonly ms: number;
}

/** @throws {Error} which says why the instance stays. */
export async function retireInstance(id: string, options: RetireOptions): Promise<RetireReport> {
  const { registry, replace, force, tell } = options;
  const all = await registry.list();
  const instance = all.find((it) => it.id === id);
  if (!instance) throw new UsageError(`there is no instance ${id}: see \`headframe ps\``);
  const { host, pid, service } = instance;
  if (!seenHere(instance)) throw new Error(`${id} runs on ${host}, and not here: give the command there`);
  const manager = options.manager();
  const shared = { manager, instances: () => registry.list(service), tell };
  if (service === "edge") {
    if (instance.state !== "ready") throw new Error(`${id} serves nobody: it stands by for the serving edge`);
    tell(`${id} gives its clients to a fresh edge: an edge is always replaced`);
    return finish(instance, await alone(manager.endpoint, KEEPER_WATCHER, () => swapEdge(shared)), tell);
  }
  const watcher = await manager.ownerOf(pid);
  if (watcher === undefined) {
    throw new Error(`${id} (pid ${pid}) is no process of the manager at ${manager.endpoint}: send it SIGTERM`);
  }
  if (replace) {
    const swapping = () => swapRolling({ ...shared, watcher, service, pid });
    return finish(instance, await alone(manager.endpoint, watcher, swapping), tell);
  }
  const others = all.filter((it) => it.service === service && it.state === "ready" && it.id !== id);
  if (others.length === 0 && !force) {
    throw new Error(`${id} is the last ready ${service}: use --replace, or --force if ${service} shall stop`);
  }
  return alone(manager.endpoint, watcher, () => retire(instance, watcher, shared));
}

interface Shared {
  readonly manager: Manager;
  instances(): Promise<readonly Instance[]>;
  tell(line: string): void;
}

async function retire(
  instance: Instance,
  watcher: string,
  { manager, instances, tell }: Shared,
): Promise<RetireReport> {
  const progress = new Progress({ pids: () => manager.pids(watcher), instances, tell });
  await progress.start();
  try {
    await manager.retire(watcher, instance.pid);
  } finally {
    await progress.stop();
  }
  tell(
    `${instance.id} drained in ${seconds(progress.ms)}; ${watcher} has one process fewer until the pool is started again`,
  );
  return { instance: instance.id, replaced: false, ms: progress.ms };
}

function finish({ id }: Instance, report: SwapReport, tell: (line: string) => void): RetireReport {
  if (!report.ok) throw new Error(`${id} was not drained, it stays\n${report.reason}`);
  tell(`${id} drained in ${seconds(report.ms)}; another one is in its place`);
  return { instance: id, replaced: true, ms: report.ms };
}
