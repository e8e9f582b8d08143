// circus: the process manager. This is its only door.

import { fileURLToPath } from "node:url";

export { Arbiter, type ArbiterOptions } from "./arbiter.js";
export { type Claim, claim } from "./claim.js";
export { type CallOptions, CircusCallError, type CircusReply, callCircus } from "./client.js";
export { type ArbiterConfig, type BuildOptions, buildConfig, type SocketConfig } from "./config.js";
export type { Death, Readiness } from "./crew.js";
export { CircusError, type CircusErrorCode } from "./errors.js";
export type { CircusEvent, Topic } from "./events.js";
export { readIni } from "./include.js";
export { type Ini, IniError, parseIni } from "./ini.js";
export { Ledger } from "./ledger.js";
export type { Leftover } from "./leftovers.js";
export { descendsFrom } from "./proc.js";

export { type StreamConfig, WATCHER_DEFAULTS, type WatcherConfig } from "./watcher-config.js";
export type { Change, WatcherState, WatcherStatus } from "./watcher-status.js";
export type { CircusWitness } from "./witness.js";

/** The pool's own circus.ini, in the source tree (tsc copies no such files). Compiled, this module is dist/circus/index.js. */
export const CIRCUS_INI = fileURLToPath(new URL("../../circus/circus.ini", import.meta.url));
