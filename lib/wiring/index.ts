// lib/wiring: the toolkit. This is its only door.

export * from "./contract.js";
export type * from "./discovery/discovery.js";
export * from "./discovery/instance.js";
export * from "./discovery/memory.js";
export { discoveryMetrics } from "./discovery/metrics.js";
export { Registry, type RegistryOptions } from "./discovery/registry.js";
export * from "./errors.js";
export type * from "./house.js";
export type * from "./metrics/metrics.js";
export { noMetrics } from "./metrics/none.js";
export type * from "./nexus/nexus.js";
export { quiet } from "./quiet.js";
export { clusterName, key } from "./state/keys.js";
export { Script, type ScriptArgument } from "./state/script.js";
