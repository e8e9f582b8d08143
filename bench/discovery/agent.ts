// The processes of the discovery benchmark: `many` holds instances and watchers, each with a registry and connections of its own as a
// process of a service would have; `idle` is one such process, alone, whose processor time is looked at.

import { z } from "zod";
import {
  defineContract,
  houseSettings,
  type Instance,
  instance,
  noMetrics,
  openHouse,
  quiet,
  Registry,
} from "../../lib/wiring/index.js";
import { beAgent } from "../kit/agent.js";
import { connectTo } from "../kit/redis.js";

const READY_MS = 30_000;
const LOOK_MS = 50;
const CLUSTER = "bench";

interface Many {
  readonly redis: string;
  readonly first: number;
  readonly count: number;
  readonly services: number;
}

const registries: Registry[] = [];
const opened: { disconnect(): void }[] = [];
/** By watcher: what it knows. */
const known: number[] = [];

const described = (i: number, services: number): Instance =>
  instance.parse({
    ...{ service: `service-${i % services}`, id: `service-${i % services}-${i.toString(16).padStart(8, "0")}` },
    ...{ host: "bench", pid: i + 1, endpoint: `tcp://127.0.0.1:${20_000 + i}`, startedAt: Date.now(), version: "1" },
    ...{ state: "ready", meta: {} },
  });

async function many({ redis, first, count, services }: Many): Promise<void> {
  const { discovery: connection } = await connectTo(redis); // Each registry opens two connections like it.
  opened.push(connection);
  for (let i = first; i < first + count; i++) {
    const registry = Registry.open({ redis: connection, cluster: CLUSTER, log: quiet, metrics: noMetrics });
    registries.push(registry);
    await registry.register(described(i, services));
    const at = known.push(0) - 1;
    registry.watch(`service-${i % services}`, (instances) => {
      known[at] = instances.length;
    });
  }
}

/** Resolves when every watcher knows so many instances. */
async function settled(instances: number): Promise<void> {
  const untilMs = performance.now() + READY_MS;
  while (known.some((count) => count !== instances)) {
    if (performance.now() > untilMs)
      throw new Error(`a watcher knows ${known.find((it) => it !== instances)} of ${instances}`);
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}

const contract = defineContract({ service: "idle", methods: {}, pushes: { nothing: { message: z.object({}) } } });

async function idle(redis: string): Promise<void> {
  const house = await openHouse(
    houseSettings.parse({ cluster: CLUSTER, redis: { url: redis }, log: { level: "error" } }),
  );
  await house.nexus.host(contract, {});
  house.nexus.client(contract);
}

async function close(): Promise<void> {
  for (const registry of registries) await registry.close();
  for (const connection of opened) connection.disconnect();
}

beAgent({ many, settled, idle, close });
