// lib/wiring: the toolkit. This is its only door.

export * from "./contract.js";
export type * from "./discovery/discovery.js";
export * from "./discovery/instance.js";
export * from "./discovery/memory.js";
export * from "./errors.js";
export type * from "./house.js";
export type * from "./metrics/metrics.js";
export type * from "./nexus/nexus.js";
