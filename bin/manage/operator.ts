// Operator: the process manager of this host, as the dashboard sees it (services/dashboard/ports.ts).
//
//   dashboard --processes, swap, drain--> Manager --Circus's protocol--> manager          manager --PUB watcher.*--> dashboard

import { existsSync } from "node:fs";
import { join } from "node:path";
import { Subscriber } from "zeromq";
import { z } from "zod";
import { callCircus } from "../../circus/index.js";
import { type House, Registry } from "../../lib/wiring/index.js";
import type { ManagedProcess, Operator, ProcessEvent } from "../../services/dashboard/ports.js";
import type { Config } from "../config.js";
import { findManager, Manager } from "./manager.js";
import { judgedBy, replaceService } from "./replace.js";
import { retireInstance } from "./retire.js";
import { whatWentWrong } from "./swap.js";

const RETRY_MS = 2_000;

const info = z.object({ pid: z.number(), mem_info1: z.string(), cpu: z.number(), started: z.number() });
const stats = z.object({ infos: z.record(z.string(), z.record(z.string(), z.unknown())) });
const global = z.object({ options: z.object({ pubsub_endpoint: z.string().min(1) }) });
const body = z.object({ process_pid: z.number().optional(), exit_code: z.number().optional() });

export function operatorOf(house: House, config: Config): Operator {
  /** Asked for each time: the manager may begin later than we. */
  const manager = (): Manager => {
    const own = process.env.HEADFRAME_SOCKETS && join(process.env.HEADFRAME_SOCKETS, "circus.sock");
    return own && existsSync(own) ? new Manager(`ipc://${own}`) : findManager(undefined, config);
  };
  return {
    processes: async () => processesOf(manager()),
    expected: async () => {
      const own = manager();
      const names = await own.watchers();
      return new Map(await Promise.all(names.map(async (name) => [name, await own.expected(name)] as const)));
    },
    listen: (onEvent) => listen(manager, onEvent, house),
    swap: (service, tell) =>
      withRegistry(house, async (registry) => {
        const shared = { instances: () => registry.list(judgedBy(service)), tell };
        const report = await replaceService(service, manager(), shared);
        if (!report.ok) throw new Error(whatWentWrong(report));
      }),
    drain: (instance, { replace }, tell) =>
      withRegistry(house, async (registry) => {
        await retireInstance(instance, { registry, manager, replace, force: false, tell });
      }),
  };
}

async function withRegistry<T>(house: House, act: (registry: Registry) => Promise<T>): Promise<T> {
  const registry = Registry.open({ redis: house.redis.discovery, cluster: house.cluster });
  try {
    return await act(registry);
  } finally {
    await registry.close();
  }
}

async function processesOf({ endpoint }: Manager): Promise<ManagedProcess[]> {
  const { infos } = stats.parse(await callCircus(endpoint, "stats"));
  return Object.entries(infos).flatMap(([watcher, processes]) =>
    Object.values(processes).flatMap((it) => {
      const read = info.safeParse(it); // One that has just ended is a text.
      if (!read.success) return [];
      const { pid, mem_info1, cpu, started } = read.data;
      return [{ watcher, pid, startedAt: Math.round(started * 1_000), memoryBytes: bytesOf(mem_info1), cpu }];
    }),
  );
}

const UNITS: Readonly<Record<string, number>> = { B: 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30, T: 2 ** 40 };

/** Circus's `43M`. */
function bytesOf(text: string): number {
  const [, count = "0", unit = "B"] = /^([\d.]+)\s*([BKMGT])?/.exec(text) ?? [];
  return Number(count) * (UNITS[unit] ?? 1);
}

/** Until it is stopped; a manager that is not there yet, or is another one tomorrow, is looked for again. */
function listen(manager: () => Manager, onEvent: (event: ProcessEvent) => void, { log }: House): () => void {
  let subscriber: Subscriber | undefined;
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;
  const begin = async () => {
    try {
      const { options } = global.parse(await callCircus(manager().endpoint, "globaloptions"));
      if (stopped) return;
      subscriber = new Subscriber({ linger: 0 });
      subscriber.connect(options.pubsub_endpoint);
      subscriber.subscribe("watcher.");
      for await (const [topic, message] of subscriber) hear(String(topic), String(message), onEvent);
    } catch (error) {
      if (stopped) return;
      log.debug({ err: error }, "no process manager to listen to; looking again");
      timer = setTimeout(() => void begin(), RETRY_MS);
    }
  };
  void begin();
  return () => {
    stopped = true;
    clearTimeout(timer);
    subscriber?.close();
  };
}

const TOPIC = /^watcher\.(.+)\.(spawn|ready|reap|kill|start|stop|reload|updated|add|remove)$/;

function hear(topic: string, message: string, onEvent: (event: ProcessEvent) => void): void {
  const [, watcher, what] = TOPIC.exec(topic) ?? [];
  if (watcher === undefined || what === undefined) return; // A newer manager's.
  const { process_pid: pid, exit_code: exitCode } = body.parse(JSON.parse(message));
  onEvent({
    ...{ watcher, what: what as ProcessEvent["what"] },
    ...(pid === undefined ? {} : { pid }),
    ...(exitCode === undefined ? {} : { exitCode }),
  });
}
