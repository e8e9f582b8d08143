// Visit: a house for the length of one command. It says nothing of its own: what goes wrong is the command's to explain.

import {
  type Client,
  type Contract,
  type House,
  type Instance,
  type OpenedHouse,
  openHouse,
  RedisRefused,
  Registry,
  WiringError,
} from "../lib/wiring/index.js";
import type { Config } from "./config.js";
import { readLastKnown } from "./manage/last-known.js";
import { patiently } from "./patience.js";

/** A person waits: where nobody listens, a Redis that is just starting gets less time than it gets of a service. */
export const REDIS_REFUSED_MS = 1_000;

/** A house, and what discovery lists. */
export interface VisitedHouse extends OpenedHouse {
  /** Of one service, or of all; with Redis away, those last known. */
  list(service?: string): Promise<readonly Instance[]>;
}

export interface VisitOptions {
  /** What the command does needs Redis. Default false: with Redis away it asks the instances last known, and says so on stderr. */
  readonly needsRedis?: boolean;
}

/** @throws {Error} which says why Redis cannot be used, and where its address came from. */
export async function visit<T>(
  config: Config,
  act: (house: VisitedHouse) => Promise<T>,
  { needsRedis = false }: VisitOptions = {},
): Promise<T> {
  const level = process.env.HEADFRAME_DEBUG ? "debug" : "silent";
  const settings = { ...config.house, log: { level, name: "headframe" } } as const;
  const known = needsRedis ? undefined : readLastKnown(config);
  const house = await patiently(
    "Redis",
    openHouse(settings, { lastKnown: known?.instances, redisRefusedMs: REDIS_REFUSED_MS }),
  ).catch((error: unknown) => {
    throw error instanceof RedisRefused ? new Error(`${error.message}${hint(config)}`, { cause: error.cause }) : error;
  });
  if (house.redisRefused && known) {
    const at = new Date(known.atMs).toTimeString().slice(0, 8);
    process.stderr.write(
      `headframe: ${house.redisRefused.message}\nheadframe: going on with the instances known at ${at}\n`,
    );
  }
  let registry: Registry | undefined;
  const list = async (service?: string) => {
    if (house.redisRefused)
      return (known?.instances ?? []).filter((it) => service === undefined || it.service === service);
    registry ??= Registry.open({ redis: house.redis.discovery, cluster: house.cluster });
    return registry.list(service);
  };
  try {
    return await act({ ...house, list });
  } finally {
    await registry?.close();
    await house.close();
  }
}

/** Where the address came from, for somebody who did not give one. */
function hint({ file }: Config): string {
  if (file !== undefined) return `\nThat address is set in ${file}, or by the environment or --set.`;
  return (
    "\nNo pool runs in this folder (there is no run/current/headframe.toml) and no configuration was named, so the default" +
    " address was tried. Start a pool with `npm start`, name its configuration with --config FILE or HEADFRAME_CONFIG, or start" +
    " Redis with `redis-server`."
  );
}

/** How long a command looks for an instance of a service, and how long it waits for its answers. */
export const ANSWER_MS = 5_000;

/**
 * A client of a service, once an instance is there.
 *
 * @throws {Error} which says that none runs, and how to see what does.
 */
export async function consult<C extends Contract, T>(
  { nexus }: House,
  contract: C,
  act: (client: Client<C>) => Promise<T>,
  timeoutMs = ANSWER_MS,
  atLeast = 1,
): Promise<T> {
  const client = nexus.client(contract);
  const { service } = contract;
  try {
    await patiently(`an instance of ${service}`, client.ready(timeoutMs, atLeast));
    return await act(client);
  } catch (error) {
    if (!(error instanceof WiringError) || error.code !== "NO_INSTANCE") throw error;
    const what = `no instance of ${service} is running, or none that can be reached: see \`headframe ps\``;
    throw new Error(what, { cause: error });
  } finally {
    await client.close();
  }
}

/** The same, for whoever asks every instance: all that are ready can be reached when `act` begins. */
export async function consultAll<C extends Contract, T>(
  house: VisitedHouse,
  contract: C,
  act: (client: Client<C>) => Promise<T>,
  timeoutMs = ANSWER_MS,
): Promise<T> {
  const ready = (await house.list(contract.service)).filter(({ state }) => state === "ready");
  return consult(house, contract, act, timeoutMs, Math.max(1, ready.length));
}
