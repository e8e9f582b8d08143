// Where a Redis is, from an operator's words to what the client is told.
//
//   settings.redis (URLs, sentinels, TLS, files) -> one RedisPlace a role
//
//   P1. Roles whose place is the same share a connection: `key` says whether it is.
//   P2. `shown` is for people: it names the place and holds no secret.
//   P3. With sentinels, the master is asked for at every connect. A master that was demoted refuses writes (READONLY), one that
//       is gone breaks its sockets, one that stands still lets them time out (connect.ts): each makes us connect, and ask, again.

import { readFileSync } from "node:fs";
import type { RedisOptions as AllOptions } from "ioredis";
import { maskText } from "../core/secrets.js";
import { messageOf } from "../thrown.js";
import { clusterConnector, isElsewhere } from "./redis-cluster.js";
import type { RedisRole, RedisSettings } from "./redis-settings.js";
import { key } from "./state/keys.js";

/** Replies in the client's usual form. */
type RedisOptions = Omit<AllOptions, "replyMapping">;

export interface RedisPlace {
  readonly key: string;
  readonly shown: string;
  readonly options: RedisOptions;
  /** What its files say now: a password may have been rotated since. */
  secrets(): Partial<Pick<RedisOptions, "password" | "sentinelPassword">>;
}

/** A sentinel that is gone must not hold up a fail-over. */
const SENTINEL_CONNECT_MS = 2_000;
const SENTINEL_ANSWER_MS = 2_000;

/**
 * The place of each role.
 *
 * @param cluster The installation's name: its keys say which node of a Redis Cluster is ours.
 * @throws {Error} when a file cannot be read; the message names the key.
 */
export function redisPlaces(redis: RedisSettings, cluster: string): Record<RedisRole, RedisPlace> {
  const shared = sharedOptions(redis);
  const place = (text: string | undefined) => placeOf(text ?? redis.url, redis, shared, cluster);
  return { discovery: place(redis.discovery), state: place(redis.state), shares: place(redis.shares) };
}

interface Shared {
  readonly password: string | undefined;
  readonly tls: NonNullable<RedisOptions["tls"]>;
  readonly sentinel: RedisOptions;
}

function sharedOptions(redis: RedisSettings): Shared {
  const { tls = {}, sentinels } = redis;
  const read = { ca: file(tls.caFile, "tls.caFile"), cert: file(tls.certFile, "tls.certFile") };
  const key = file(tls.keyFile, "tls.keyFile");
  return {
    password: file(redis.passwordFile, "passwordFile")?.trim(),
    tls: defined({ ...read, key, servername: tls.serverName }),
    sentinel: sentinels === undefined ? {} : sentinelOptions(redis, sentinels),
  };
}

function sentinelOptions(redis: RedisSettings, sentinels: NonNullable<RedisSettings["sentinels"]>): RedisOptions {
  return {
    sentinels,
    name: redis.sentinelName,
    role: "master",
    ...defined({
      sentinelPassword: redis.sentinelPassword ?? file(redis.sentinelPasswordFile, "sentinelPasswordFile")?.trim(),
    }),
    connectTimeout: SENTINEL_CONNECT_MS,
    sentinelCommandTimeout: SENTINEL_ANSWER_MS,
    reconnectOnError: (error) => error.message.startsWith("READONLY"), // P3
  };
}

function placeOf(text: string, redis: RedisSettings, shared: Shared, cluster: string): RedisPlace {
  if (text.startsWith("/")) {
    const options = { path: text, ...defined({ password: shared.password }) };
    return { key: text, shown: text, options, secrets: () => secretsOf(redis) };
  }
  const url = new URL(text);
  const secrets = () => {
    const { password, ...others } = secretsOf(redis);
    return url.password === "" ? { ...others, ...defined({ password }) } : others;
  };
  const secure = url.protocol === "rediss:";
  const options: RedisOptions = {
    host: url.hostname.replace(/^\[|\]$/g, ""),
    port: Number(url.port || 6_379),
    db: Number(url.pathname.slice(1) || 0),
    ...defined({
      username: url.username === "" ? undefined : decodeURIComponent(url.username),
      password: url.password === "" ? shared.password : decodeURIComponent(url.password),
    }),
    ...(secure ? { tls: { ...shared.tls } } : {}),
    ...shared.sentinel,
    ...(secure && redis.sentinels ? { enableTLSForSentinelMode: true, sentinelTLS: { ...shared.tls } } : {}),
  };
  if (redis.clusterNodes) return { ...ofCluster(redis.clusterNodes, text, options, cluster), secrets };
  const shown = redis.sentinels ? throughSentinels(redis, redis.sentinels) : maskText(text);
  return { key: text, shown, options, secrets };
}

/** @throws {Error} when a file cannot be read. */
const secretsOf = (redis: RedisSettings): ReturnType<RedisPlace["secrets"]> =>
  defined({
    password: file(redis.passwordFile, "passwordFile")?.trim(),
    sentinelPassword: file(redis.sentinelPasswordFile, "sentinelPasswordFile")?.trim(),
  });

function ofCluster(
  nodes: NonNullable<RedisSettings["clusterNodes"]>,
  text: string,
  options: RedisOptions,
  cluster: string,
): Omit<RedisPlace, "secrets"> {
  const shown = `the cluster of ${nodes.map(({ host, port }) => `${host}:${port}`).join(", ")}`;
  const Connector = clusterConnector(nodes, key(cluster, "owner"), options);
  return { key: text, shown, options: { ...options, Connector, reconnectOnError: isElsewhere } };
}

const throughSentinels = (redis: RedisSettings, sentinels: NonNullable<RedisSettings["sentinels"]>): string =>
  `${redis.sentinelName} of the sentinels ${sentinels.map(({ host, port }) => `${host}:${port}`).join(", ")}`;

function file(path: string | undefined, key: string): string | undefined {
  if (path === undefined) return undefined;
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    const why = messageOf(error);
    throw new Error(`redis.${key} cannot be read: ${why}`, { cause: error });
  }
}

/** Without the keys that are undefined: the client would take those for an answer. */
function defined<T extends Record<string, unknown>>(it: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(it).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}
