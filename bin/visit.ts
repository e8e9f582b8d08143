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
import { patiently } from "./patience.js";

/** A person waits: a Redis that is just starting is worth less patience than it is to a service. */
export const REDIS_PATIENCE_MS = 1_000;

export async function visit<T>(config: Config, act: (house: OpenedHouse) => Promise<T>): Promise<T> {
  const level = process.env.HEADFRAME_DEBUG ? "debug" : "silent";
  const redis = {
    ...config.house.redis,
    connectTimeoutMs: Math.min(config.house.redis.connectTimeoutMs, REDIS_PATIENCE_MS),
  };
  const settings = { ...config.house, redis, log: { level, name: "headframe" } } as const;
  const house = await patiently("Redis", openHouse(settings)).catch((error: unknown) => {
    throw error instanceof RedisRefused ? new Error(`${error.message}${hint(config)}`, { cause: error.cause }) : error;
  });
  try {
    return await act(house);
  } finally {
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
  house: House,
  contract: C,
  act: (client: Client<C>) => Promise<T>,
  timeoutMs = ANSWER_MS,
): Promise<T> {
  const ready = (await instancesOf(house)).filter((it) => it.service === contract.service && it.state === "ready");
  return consult(house, contract, act, timeoutMs, Math.max(1, ready.length));
}

/** What discovery lists now. */
export async function instancesOf({ redis, cluster }: House): Promise<readonly Instance[]> {
  const registry = Registry.open({ redis: redis.discovery, cluster });
  return registry.list().finally(() => registry.close());
}
