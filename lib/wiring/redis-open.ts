// Opens the Redis connections of a house, or says in words why it cannot.
//
//   probe (one throwaway connection, tried again until the time is up) -> the connection that stays
//
//   O1. Wrong credentials, a wrong database or a Redis that is too old are refused at once: waiting does not mend them.
//   O2. A Redis that is not there (yet) is waited for, at most timeoutMs.
//   O3. Afterwards an absent Redis is never fatal: it is said once when it goes and once when it is back.

import { setTimeout as sleep } from "node:timers/promises";
import { Redis } from "ioredis";
import { messageOf } from "../thrown.js";
import { asking, renewing } from "./connect.js";
import type { Log } from "./house.js";
import type { RedisPlace } from "./redis-place.js";
import { REDIS_ROLES, type RedisRole } from "./redis-settings.js";

const PROBE_EVERY_MS = 200;
/** The client waits as long for the end of a socket that has ended already, and would keep a failed command from ending. */
const PROBE_LEAVES_MS = 100;
/** ZADD GT, XTRIM MINID and scripts that may ask the time first. */
const VERSION_MIN = [6, 2] as const;

/** A Redis could not be used at start. The message names the URL, the roles, what happened and what to do. */
export class RedisRefused extends Error {
  override readonly name = "RedisRefused";
}

export interface OpenRedisOptions {
  readonly timeoutMs: number;
  /** How long one is waited for where nobody listens. Default: timeoutMs. */
  readonly refusedMs?: number | undefined;
  readonly log: Log;
  /** Goes on without Redis: it is told why, and every command rejects. Default: openRedis rejects. */
  onRefused?(refused: RedisRefused): void;
}

/**
 * One connection for each different place.
 *
 * @throws {RedisRefused} when one cannot be used and there is no onRefused.
 */
export async function openRedis(
  places: Readonly<Record<RedisRole, RedisPlace>>,
  options: OpenRedisOptions,
): Promise<Record<RedisRole, Redis>> {
  const wanted = new Map<string, { place: RedisPlace; roles: RedisRole[] }>();
  for (const role of REDIS_ROLES) {
    const { key } = places[role];
    const { roles } = wanted.get(key) ?? { roles: [] };
    wanted.set(key, { place: places[role], roles: [...roles, role] });
  }
  try {
    await Promise.all([...wanted.values()].map(({ place, roles }) => probe(place, roles, options)));
  } catch (error) {
    if (!(error instanceof RedisRefused) || !options.onRefused) throw error;
    options.onRefused(error);
    const none = connect(places.discovery, ["discovery"], options.log); // Never told to connect: it rejects every command.
    return { discovery: none, state: none, shares: none };
  }
  const open = new Map([...wanted].map(([key, { place, roles }]) => [key, connect(place, roles, options.log)]));
  await Promise.all([...open.values()].map((redis) => redis.connect().catch(() => {}))); // O3: it goes on trying.
  const of = (role: RedisRole) => open.get(places[role].key) ?? connect(places[role], [role], options.log);
  return { discovery: of("discovery"), state: of("state"), shares: of("shares") };
}

function connect({ options, shown, secrets }: RedisPlace, roles: readonly RedisRole[], log: Log): Redis {
  const connectionName = `headframe-${roles.join("+")}`;
  const redis = new Redis({ ...asking, ...options, lazyConnect: true, connectionName });
  let lost = false;
  const where = { redis: shown, roles };
  renewing(redis, secrets, (error) => {
    if (!lost)
      log.warn({ ...where, err: error }, "the file with Redis' password cannot be read; the last one is used on");
  });
  redis.on("error", (error) => {
    if (!lost) log.warn({ ...where, err: error }, "Redis is away; reconnecting");
    lost = true;
  });
  redis.on("ready", () => {
    if (lost) log.info(where, "Redis is back");
    lost = false;
  });
  return redis;
}

async function probe(
  place: RedisPlace,
  roles: readonly RedisRole[],
  { timeoutMs, refusedMs = timeoutMs }: OpenRedisOptions,
): Promise<void> {
  const begun = performance.now();
  const end = begun + timeoutMs;
  for (;;) {
    const remainingMs = Math.max(1, end - performance.now());
    const failure = await tryOnce(place, remainingMs);
    if (failure === undefined) return;
    const last = isRefused(failure) ? Math.min(end, begun + refusedMs) : end;
    const waitedMs = Math.round(Math.min(timeoutMs, last - begun));
    const { why, todo, final } = diagnose(failure, waitedMs, place.options.tls !== undefined);
    if (final || performance.now() + PROBE_EVERY_MS >= last) {
      const which = roles.length === 3 ? "" : ` for ${roles.join(" and ")}`;
      throw new RedisRefused(`Redis${which} at ${place.shown}: ${why}. ${todo}`, { cause: failure });
    }
    await sleep(PROBE_EVERY_MS);
  }
}

/** Nobody listens there. */
const isRefused = (failure: unknown): boolean => /ECONNREFUSED|ENOENT/.test(messageOf(failure));

async function tryOnce({ options }: RedisPlace, timeoutMs: number): Promise<unknown> {
  // No commandTimeout: its timers outlive a rejected command and would keep a failed start from ending.
  const redis = new Redis({
    ...options,
    lazyConnect: true,
    retryStrategy: null,
    sentinelRetryStrategy: () => null,
    connectTimeout: timeoutMs,
    maxRetriesPerRequest: 0,
    disconnectTimeout: PROBE_LEAVES_MS,
  });
  let said: unknown;
  redis.on("error", (error) => {
    said ??= error;
  });
  const timer = setTimeout(() => {
    said ??= new Error("timed out");
    redis.disconnect();
  }, timeoutMs);
  try {
    await redis.connect();
    const server = await redis.info("server");
    return said ?? tooOld(server); // A database that does not exist is an event, and the connection goes on in 0.
  } catch (error) {
    return said ?? error; // The event carries the reason; the rejection often only says that the connection is closed.
  } finally {
    clearTimeout(timer);
    redis.disconnect();
  }
}

/** Undefined also for something compatible that does not say its version. */
function tooOld(info: string): Error | undefined {
  const version = /^redis_version:(\d+)\.(\d+)/m.exec(info);
  if (!version) return undefined;
  const [major, minor] = [Number(version[1]), Number(version[2])];
  const enough = major > VERSION_MIN[0] || (major === VERSION_MIN[0] && minor >= VERSION_MIN[1]);
  return enough ? undefined : new Error(`TOOOLD ${major}.${minor}`);
}

interface Diagnosis {
  readonly why: string;
  readonly todo: string;
  /** True: trying again cannot help. */
  readonly final: boolean;
}

function diagnose(error: unknown, timeoutMs: number, secure: boolean): Diagnosis {
  const text = messageOf(error);
  const has = (...words: string[]) => words.some((word) => text.includes(word));
  if (has("WRONGPASS", "invalid password", "invalid username"))
    return {
      why: "it refuses the user or password",
      todo: "Correct them in redis.url (or redis.passwordFile).",
      final: true,
    };
  if (has("NOAUTH"))
    return {
      why: "it wants a password and was given none",
      todo: "Put it into redis.url or redis.passwordFile.",
      final: true,
    };
  if (has("NOPERM"))
    return { why: `its user lacks a permission (${text})`, todo: "Grant it with ACL SETUSER.", final: true };
  if (has("DB index", "invalid DB"))
    return { why: "it has no database of that number", todo: "Correct the number at the end of the URL.", final: true };
  if (has("TOOOLD"))
    return {
      why: `its version ${text.split(" ")[1]} is too old`,
      todo: `Use ${VERSION_MIN.join(".")} or newer.`,
      final: true,
    };
  if (has("sentinel"))
    return {
      why: `its sentinels cannot be asked, or know no such master (${text})`,
      todo: "Correct redis.sentinels, redis.sentinelName or redis.sentinelPassword.",
      final: false,
    };
  if (has("no node of the cluster"))
    return {
      why: `none of its nodes can say who has our keys (${text.replace(/^.*our keys /, "")})`,
      todo: "Correct redis.clusterNodes, or start the cluster.",
      final: false,
    };
  if (has("CLUSTERDOWN"))
    return {
      why: "nobody in the cluster has our keys' slot (CLUSTERDOWN)",
      todo: "Look with `redis-cli cluster info`; assign the slot, or start the server that has it.",
      final: false,
    };
  if (has("certificate", "ERR_TLS_CERT_ALTNAME"))
    return {
      why: `its certificate is not trusted (${text})`,
      todo: "Name who vouches for it as redis.tls.caFile, and its name as redis.tls.serverName.",
      final: true,
    };
  if (has("max number of clients"))
    return {
      why: "it has as many clients as it takes (maxclients)",
      todo: "Raise maxclients in its configuration, or look with `redis-cli client list` who holds connections.",
      final: false,
    };
  if (has("ECONNRESET", "EPIPE", "Connection is closed"))
    return {
      why: "it closes the connection at once",
      todo: "It may have reached its maxclients (`redis-cli info clients`). If that port speaks TLS, begin redis.url with rediss://.",
      final: false,
    };
  if (has("ENOTFOUND", "EAI_AGAIN"))
    return { why: "its host name cannot be resolved", todo: "Correct the name in redis.url.", final: false };
  if (has("ECONNREFUSED", "ENOENT"))
    return {
      why: `nothing listens there (waited ${timeoutMs} ms)`,
      todo: "Start Redis, or correct redis.url.",
      final: false,
    };
  if (has("ETIMEDOUT", "timed out"))
    return {
      why: `it did not answer within ${timeoutMs} ms`,
      todo: secure ? "Does that port speak TLS? Otherwise use redis://." : "Is the address right, and a firewall open?",
      final: false,
    };
  if (has("LOADING"))
    return {
      why: `it was still loading its data after ${timeoutMs} ms`,
      todo: "Wait, or raise redis.connectTimeoutMs.",
      final: false,
    };
  return { why: text, todo: "See its log, or correct redis.url.", final: false };
}
