// How each kind of fault is done, on the stage's processes.
//
//   fault -> precondition (another instance lives) -> act -> the instance is back

import { setTimeout as delay } from "node:timers/promises";
import type { KindName } from "./kinds.js";
import type { Fault } from "./schedule.js";
import type { Stage } from "./stage.js";

/** What an act works with. */
export interface Scene {
  readonly stage: Stage;
  readonly fault: Fault;
  /** The fault is done as far as clients may feel it; what follows is waiting for the instance to be back. */
  over(): void;
  /** Says what it befell, for people. Before it happens. */
  begins(target: string): void;
  readonly signal: AbortSignal;
}

export type Act = (scene: Scene) => Promise<void>;

/** How many processes of each service there are. */
export const NUMBERS: Readonly<Record<string, number>> = { stratum: 2, jobmanager: 2, reporter: 2 };
/** A Node process starts in half a second; two shared cores make it many times that. */
const BACK_MS = 30_000;
const LOOK_EVERY_MS = 20;
const RELOAD_MS = 10_000;
/** Milliseconds that a slow Redis takes longer, each way. */
const SLOW_MS = [20, 50, 100, 200] as const;
const EDGES = 2;
/** After an edge was killed, until the next fault may befall its successor. */
const EDGE_SETTLES_MS = 3_000;

export class NotBack extends Error {
  override readonly name = "NotBack";
}

export async function until(
  what: string,
  signal: AbortSignal,
  condition: () => boolean | Promise<boolean>,
  withinMs = BACK_MS,
): Promise<void> {
  const end = performance.now() + withinMs;
  while (!(await condition())) {
    if (performance.now() > end) throw new NotBack(`waited ${withinMs} ms in vain until ${what}`);
    await delay(LOOK_EVERY_MS, undefined, { signal });
  }
}

/** All instances of a service serve. */
export const whole = (stage: Stage, service: string): boolean => stage.ready(service).length >= (NUMBERS[service] ?? 1);

const victim = ({ stage, fault }: Scene, service: string): number => {
  const pids = stage.ready(service);
  const pid = pids[fault.target % pids.length];
  if (pid === undefined) throw new NotBack(`no ${service} serves`);
  return pid;
};

/** One process gets a signal and is replaced. */
const end =
  (service: string, name: NodeJS.Signals): Act =>
  async (scene) => {
    const pid = victim(scene, service);
    scene.begins(`${service} ${pid}`);
    process.kill(pid, name);
    if (name === "SIGKILL") scene.over();
    await until(`${service} ${pid} is gone`, scene.signal, () => !scene.stage.ready(service).includes(pid));
    scene.over();
    await until(`${service} is whole again`, scene.signal, () => whole(scene.stage, service));
  };

const freeze =
  (service: string): Act =>
  async (scene) => {
    const pid = victim(scene, service);
    scene.begins(`${service} ${pid} for ${scene.fault.forMs} ms`);
    await frozen(pid, scene);
    await until(`${service} is whole again`, scene.signal, () => whole(scene.stage, service));
  };

async function frozen(pid: number, scene: Scene): Promise<void> {
  process.kill(pid, "SIGSTOP");
  try {
    await lasting(scene);
  } finally {
    process.kill(pid, "SIGCONT");
    scene.over();
  }
}

const lasting = ({ fault, signal }: Scene): Promise<void> => delay(fault.forMs, undefined, { signal });

/** The one that serves and the one that stands by; waits until there are both. */
async function edgePair({ stage, signal }: Scene): Promise<readonly [number, number]> {
  let edges: number[] = [];
  await until("an edge serves and another stands by", signal, async () => {
    edges = await stage.edges();
    return edges.length === EDGES && (await stage.stands(edges[1] ?? 0));
  });
  const [serving = 0, standby = 0] = edges;
  return [serving, standby];
}

/** These have ended. The next fault of the family waits for a pair by itself. */
async function gone(pids: readonly number[], { stage, signal }: Scene): Promise<void> {
  await until("the edge has ended", signal, async () => {
    const edges = await stage.edges();
    return !pids.some((pid) => edges.includes(pid));
  });
  await delay(EDGE_SETTLES_MS, undefined, { signal });
}

async function killEdge(scene: Scene): Promise<void> {
  const [serving] = await edgePair(scene);
  scene.begins(`edge ${serving}`);
  process.kill(serving, "SIGKILL");
  scene.over();
  await gone([serving], scene);
}

async function killStandby(scene: Scene): Promise<void> {
  const [, standby] = await edgePair(scene);
  scene.begins(`the edge that stands by, ${standby}`);
  process.kill(standby, "SIGKILL");
  scene.over();
  await gone([standby], scene);
}

/** The hardest death: nobody stands by any more. */
async function killEdges(scene: Scene): Promise<void> {
  const pair = await edgePair(scene);
  scene.begins(`edges ${pair.join(" and ")}`);
  for (const pid of pair) process.kill(pid, "SIGKILL");
  scene.over();
  await gone(pair, scene);
}

async function freezeEdge(scene: Scene): Promise<void> {
  const [serving] = await edgePair(scene);
  scene.begins(`edge ${serving} for ${scene.fault.forMs} ms`);
  await frozen(serving, scene);
}

async function handoverEdge(scene: Scene): Promise<void> {
  const [serving] = await edgePair(scene);
  scene.begins(`edge ${serving}`);
  process.kill(scene.stage.keeper, "SIGHUP");
  const left = async () => !(await scene.stage.edges()).includes(serving);
  await until(`edge ${serving} has handed over`, scene.signal, left).finally(() => scene.over());
  await gone([serving], scene);
}

async function reloadHaproxy(scene: Scene): Promise<void> {
  scene.begins("haproxy");
  await (await scene.stage.pool.haproxy()).reload(RELOAD_MS, scene.signal).finally(() => scene.over());
}

const endRedis =
  (name: "SIGTERM" | "SIGKILL"): Act =>
  async (scene) => {
    const { redis } = scene.stage;
    scene.begins(`redis for ${scene.fault.forMs} ms`);
    try {
      await redis.stop(name);
      await lasting(scene);
    } finally {
      await redis.start();
      scene.over();
    }
  };

async function freezeRedis(scene: Scene): Promise<void> {
  scene.begins(`redis for ${scene.fault.forMs} ms`);
  scene.stage.redis.freeze();
  await lasting(scene).finally(() => scene.stage.redis.thaw());
  scene.over();
}

async function slowRedis(scene: Scene): Promise<void> {
  const { stage, fault } = scene;
  const ms = SLOW_MS[fault.target % SLOW_MS.length] ?? SLOW_MS[0];
  scene.begins(`redis slower by ${ms} ms each way for ${fault.forMs} ms`);
  stage.network.delayMs = ms;
  await lasting(scene).finally(() => {
    stage.network.delayMs = 0;
  });
  scene.over();
}

/** The connections stay and nothing passes; then they break, as they do behind a firewall that restarts. */
async function cutRedis(scene: Scene): Promise<void> {
  const { network } = scene.stage;
  scene.begins(`the network to redis for ${scene.fault.forMs} ms`);
  network.hold(true);
  await lasting(scene).finally(() => {
    if (scene.fault.target % 2 === 0) network.cut();
    network.hold(false);
  });
  scene.over();
}

async function killDaemon(scene: Scene): Promise<void> {
  const daemon = oneDaemon(scene);
  await daemon.stop();
  await lasting(scene).finally(() => daemon.start());
  scene.over();
}

async function freezeDaemon(scene: Scene): Promise<void> {
  const daemon = oneDaemon(scene);
  daemon.freeze(true);
  await lasting(scene).finally(() => daemon.freeze(false));
  scene.over();
}

function oneDaemon(scene: Scene) {
  const { stage, fault } = scene;
  const at = fault.target % stage.daemons.length;
  const daemon = stage.daemons[at];
  if (!daemon) throw new NotBack("there is no daemon");
  scene.begins(`daemon-${at + 1} for ${fault.forMs} ms`);
  return daemon;
}

export const ACTS: Readonly<Record<KindName, Act>> = {
  "kill-stratum": end("stratum", "SIGKILL"),
  "kill-jobmanager": end("jobmanager", "SIGKILL"),
  "kill-reporter": end("reporter", "SIGKILL"),
  "stop-stratum": end("stratum", "SIGTERM"),
  "stop-jobmanager": end("jobmanager", "SIGTERM"),
  "stop-reporter": end("reporter", "SIGTERM"),
  "freeze-stratum": freeze("stratum"),
  "freeze-jobmanager": freeze("jobmanager"),
  "freeze-reporter": freeze("reporter"),
  "kill-edge": killEdge,
  "kill-standby": killStandby,
  "kill-edges": killEdges,
  "freeze-edge": freezeEdge,
  "handover-edge": handoverEdge,
  "reload-haproxy": reloadHaproxy,
  "restart-redis": endRedis("SIGTERM"),
  "kill-redis": endRedis("SIGKILL"),
  "outage-redis": endRedis("SIGTERM"),
  "freeze-redis": freezeRedis,
  "slow-redis": slowRedis,
  "cut-redis": cutRedis,
  "kill-daemon": killDaemon,
  "freeze-daemon": freezeDaemon,
};
