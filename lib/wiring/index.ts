// lib/wiring: the toolkit. This is its only door.

export { DURATION_MAX_MS, DURATION_MAX_SECONDS, durationMs } from "../duration.js";
export { type Clock, systemClock } from "./clock.js";
export * from "./contract.js";
export { AllowedKeys, createKeyFile, KeyFileError, readKeyFile } from "./curve-keys.js";
export type * from "./discovery/discovery.js";
export { type Departure, departureOf } from "./discovery/heartbeat.js";
export * from "./discovery/instance.js";
export * from "./discovery/memory.js";
export { discoveryMetrics } from "./discovery/metrics.js";
export { Registry, type RegistryOptions } from "./discovery/registry.js";
export * from "./errors.js";
export { everywhere, type LogLevel, logLevel } from "./everywhere.js";
export type * from "./house.js";
export { type HouseSettings, houseSettings } from "./house-settings.js";
export { defaultLimits, type Limits } from "./limits.js";
export type { CountedMetrics } from "./metrics/counters.js";
export type * from "./metrics/metrics.js";
export { noMetrics } from "./metrics/none.js";
export { prometheusName } from "./metrics/prometheus-name.js";
export { type MetricsOptions, openMetrics } from "./metrics/statsd.js";
export type * from "./nexus/nexus.js";
export { type NexusOptions, openNexus } from "./nexus/open.js";
export { wiringMetricTable } from "./nexus/tally.js";
export { type OpenedHouse, type OpenHouseOptions, openHouse } from "./open-house.js";
export { quiet } from "./quiet.js";
export { redisFailure } from "./redis-failure.js";
export { RedisRefused } from "./redis-open.js";
export type { Credentials } from "./rpc/handshake.js";
export { defaultSecretFile, openSecret, SECRET_BYTES, SecretFileError } from "./secret-file.js";
export { Seldom } from "./seldom.js";
export { Allotment, type AllotmentOptions } from "./state/allotment.js";
export {
  type Claim,
  ConnectionStates,
  type ConnectionStatesOptions,
  type SavedState,
  STATE_BYTES_MAX,
  type Tenure,
} from "./state/connection.js";
export { JOB_BYTES_MAX, JobStore } from "./state/job.js";
export { clusterName, key } from "./state/keys.js";
export { Script, type ScriptArgument } from "./state/script.js";
export { packageVersion } from "./version.js";
