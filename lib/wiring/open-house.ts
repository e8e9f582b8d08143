// openHouse: everything a process needs before its first service, opened in order, closed in reverse.
//
//   metrics, log -> redis (probed: refused with a reason) -> probe (HTTP, if asked for) -> discovery -> nexus

import { pino } from "pino";
import { standardLines } from "../log/index.js";
import { errorForLog } from "../thrown.js";
import { openCurve } from "./curve-keys.js";
import type { Instance } from "./discovery/instance.js";
import { Directory, memoryDiscovery } from "./discovery/memory.js";
import { discoveryMetrics } from "./discovery/metrics.js";
import { Registry } from "./discovery/registry.js";
import { CommonMethods } from "./everywhere.js";
import type { House, Log } from "./house.js";
import type { HouseSettings } from "./house-settings.js";
import type { CountedMetrics } from "./metrics/counters.js";
import type { MetricTable } from "./metrics/metrics.js";
import { openMetrics } from "./metrics/statsd.js";
import { openNexus } from "./nexus/open.js";
import { wiringMetricTable } from "./nexus/tally.js";
import type { Probe, ProbeOptions } from "./probe.js";
import { openRedis, type RedisRefused } from "./redis-open.js";
import { redisPlaces } from "./redis-place.js";
import { REDIS_ROLES } from "./redis-settings.js";
import { openSecret } from "./secret-file.js";
import { packageVersion } from "./version.js";

export interface OpenHouseOptions {
  /** What the services in it measure: needed with `strict`, and Prometheus' help texts and labels are made from them. */
  readonly tables?: readonly MetricTable[];
  /** Of the code that is hosted, as discovery shows it, at most 64 characters. Default: this package's. */
  readonly version?: string;
  /** Tests: an undeclared metric throws. Default false. */
  readonly strict?: boolean;
  /** Answer /healthz, /readyz and /metrics as settings.probe says (probe.ts); for processes that stay. Default false. */
  readonly probe?: boolean;
  /** Whom to call while Redis cannot be used: the house then opens all the same, for commands that only ask. Default: it is refused. */
  readonly lastKnown?: readonly Instance[] | undefined;
  /** How long a Redis is waited for where nobody listens. Default: redis.connectTimeoutMs. */
  readonly redisRefusedMs?: number;
  /** Heartbeat, see RegistryOptions. */
  readonly beats?: { readonly everyMs?: number; readonly ttlMs?: number; readonly pollMs?: number };
}

/** A house that also tells what it has counted. */
export interface OpenedHouse extends House {
  readonly metrics: CountedMetrics;
  /** Why it was opened without Redis, with the instances last known; undefined: Redis is there. */
  readonly redisRefused: RedisRefused | undefined;
}

/**
 * Opens a house. Afterwards an absent Redis is never fatal.
 *
 * @throws {KeyFileError} when its CURVE keys cannot be used.
 * @throws {SecretFileError} when the installation's secret cannot be read or made.
 * @throws {RedisRefused} when a Redis cannot be used: at once for wrong credentials, else after redis.connectTimeoutMs.
 */
export async function openHouse(settings: HouseSettings, options: OpenHouseOptions = {}): Promise<OpenedHouse> {
  const log = openLog(settings);
  const curve = openCurve(settings.curve, log); // Before anything is open: a mistake there costs no more than its message.
  const secret = openSecret(settings.wiring.secretFile);
  let redisRefused: RedisRefused | undefined;
  const redis = await openRedis(redisPlaces(settings.redis, settings.cluster), {
    timeoutMs: settings.redis.connectTimeoutMs,
    refusedMs: options.redisRefusedMs,
    log,
    ...(options.lastKnown && {
      onRefused: (refused) => {
        redisRefused = refused;
      },
    }),
  });
  const { strict = false, tables = [], beats } = options;
  const { tags, ...statsd } = settings.statsd ?? { tags: {} };
  const { cluster, host } = settings;
  const measured = { tags: { cluster, ...tags }, tables: [wiringMetricTable, discoveryMetrics, ...tables] };
  // Loaded only where somebody may ask: a command that looks and goes starts sooner without.
  const prometheus =
    options.probe && settings.probe.enabled
      ? new (await import("./metrics/prometheus.js")).Prometheus(measured)
      : undefined;
  const metrics = openMetrics({ ...statsd, ...measured, strict, prometheus });
  const leaveRedis = () => {
    for (const role of REDIS_ROLES) redis[role].disconnect();
  };
  const probe =
    prometheus &&
    (await openProbe(settings, { prometheus, log, unready: () => unready(nexus.hosted()) }).catch((error: unknown) => {
      leaveRedis();
      throw error;
    }));
  const discovery =
    redisRefused && options.lastKnown
      ? memoryDiscovery(Directory.of(options.lastKnown))
      : Registry.open({ ...beats, redis: redis.discovery, cluster, log, metrics });
  const common = new CommonMethods(log);
  const nexus = await openNexus({
    ...{ discovery, version: options.version ?? packageVersion, bind: host, log, metrics, common: common.all() },
    credentials: { cluster, secret },
    ...(curve && { curve }),
    ...(probe && { meta: { http: probe.url } }),
  });
  let closing: Promise<void> | undefined;
  const close = async () => {
    await nexus.close();
    common.close();
    await probe?.close();
    await discovery.close();
    leaveRedis();
    await metrics.close();
  };
  return {
    cluster,
    nexus,
    redis,
    log,
    metrics,
    redisRefused,
    close() {
      closing ??= close();
      return closing;
    },
  };
}

async function openProbe({ probe }: HouseSettings, options: Omit<ProbeOptions, "host" | "port">): Promise<Probe> {
  const { Probe } = await import("./probe.js");
  return Probe.open({ ...options, host: probe.host, port: probe.port });
}

/** Why an orchestrator should send nobody here yet. A Redis that is away is no reason: the services go on without it. */
function unready(hosted: readonly Instance[]): string[] {
  if (hosted.length === 0) return ["nothing is offered here yet"];
  return hosted.filter(({ state }) => state !== "ready").map(({ id, state }) => `${id} is ${state}`);
}

/** JSON lines on stderr: stdout belongs to what a command prints. What was logged before a crash is there (lib/log). */
function openLog({ log, cluster }: HouseSettings): Log {
  const base = { pid: process.pid, cluster };
  const name = log.name === undefined ? {} : { name: log.name };
  return pino({ level: log.level, base, ...name, serializers: { err: errorForLog } }, standardLines(2));
}
