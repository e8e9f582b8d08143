// discovery: what it costs that 1,000 instances beat and 1,000 clients watch, at the default pace; and what one idle process costs.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { RedisProcess } from "../chaos/redis.js";
import { freePorts } from "../demo/ports.js";
import { Crew, type Member } from "./kit/crew.js";
import { connectTo } from "./kit/redis.js";
import type { Benchmark } from "./kit/report.js";

const INSTANCES = 1_000;
/** Each watcher follows one of them. */
const SERVICES = 10;
const PROCESSES = 2;
/** Several beats long. */
const WATCHED_MS = 10_000;
/** Who has just begun reads everything for one ttl. */
const TRUSTED_MS = 8_000;
const WATCHED_MIN_MS = 500;
const AGENT = new URL("./discovery/agent.js", import.meta.url);

interface Traffic {
  readonly commands: number;
  readonly bytes: number;
  readonly cpuUs: number;
}

export const discovery: Benchmark = async ({ scale, ms, signal, tell }) => {
  const directory = await mkdtemp(join(tmpdir(), "headframe-bench-"));
  const [port] = await freePorts(1);
  const redis = await RedisProcess.open(port, directory);
  const { discovery: asking } = await connectTo(redis.url);
  const crew = new Crew();
  try {
    const instances = Math.max(SERVICES * PROCESSES, Math.round(INSTANCES * scale));
    tell(`discovery: ${instances} instances`);
    const idler = await crew.start(AGENT, ["idle"]);
    await idler.ask("idle", redis.url);
    const agents: Member[] = [];
    for (let i = 0; i < PROCESSES; i++) agents.push(await crew.start(AGENT, ["many"]));
    const each = instances / PROCESSES;
    await Promise.all(
      agents.map((it, i) => it.ask("many", { redis: redis.url, first: i * each, count: each, services: SERVICES })),
    );
    await Promise.all(agents.map((it) => it.ask("settled", instances / SERVICES)));
    await delay(Math.min(TRUSTED_MS, 10 * ms));
    signal.throwIfAborted();
    const watchedMs = Math.max(WATCHED_MIN_MS, Math.min(WATCHED_MS, 10 * ms));
    const before = [await trafficOf(asking), await cpu(agents), (await idler.usage()).cpuUs] as const;
    await delay(watchedMs);
    const after = [await trafficOf(asking), await cpu(agents), (await idler.usage()).cpuUs] as const;
    const seconds = watchedMs / 1_000;
    const [commands, bytes] = [after[0].commands - before[0].commands, after[0].bytes - before[0].bytes];
    const perSecond = (value: number) => value / seconds;
    const rows = [
      {
        what: `Redis commands, ${instances} instances and watchers`,
        n: commands,
        rate: perSecond(commands),
        cpuUs: (after[0].cpuUs - before[0].cpuUs) / commands,
      },
      { what: "Redis bytes in and out", n: bytes, rate: perSecond(bytes) },
      {
        what: "an instance and watcher, a second of it",
        n: instances,
        cpuUs: perSecond(after[1] - before[1]) / instances,
      },
      {
        what: "an idle process of one service, a second of it",
        n: 1,
        cpuUs: perSecond(after[2] - before[2]),
        memoryMb: (await idler.usage()).rssBytes / 2 ** 20,
      },
    ];
    await Promise.all(agents.map((it) => it.ask("close")));
    return {
      ...{ name: "discovery", title: "Heartbeats and watching, at rest" },
      rows,
      ...{ floors: [], plots: [], notes: [] },
    };
  } finally {
    await crew.close();
    asking.disconnect();
    await redis.close();
    await rm(directory, { recursive: true, force: true });
  }
};

async function cpu(agents: readonly Member[]): Promise<number> {
  return (await Promise.all(agents.map((it) => it.usage()))).reduce((sum, { cpuUs }) => sum + cpuUs, 0);
}

async function trafficOf(redis: { info(): Promise<string> }): Promise<Traffic> {
  const info = await redis.info();
  const figure = (name: string) => Number(new RegExp(`^${name}:([\\d.]+)`, "m").exec(info)?.[1] ?? Number.NaN);
  return {
    commands: figure("total_commands_processed"),
    bytes: figure("total_net_input_bytes") + figure("total_net_output_bytes"),
    cpuUs: 1e6 * (figure("used_cpu_sys") + figure("used_cpu_user")),
  };
}
