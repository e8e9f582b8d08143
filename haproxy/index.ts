// haproxy: the front door of the pool: its settings, its configuration file, and the way to speak to it while it runs.

export { Haproxy } from "./controller.js";
export { HaproxyError, type HaproxyErrorCode } from "./errors.js";
export { keeperAddress } from "./keepers.js";
export { type HaproxyPaths, haproxyPaths } from "./paths.js";
export { frontendName, KEEPERS_BACKEND, renderHaproxy, templateMark } from "./render.js";
export { type HaproxyInfo, HaproxyRuntime, type MasterView, type StatRow } from "./runtime.js";
export { type HaproxySettings, haproxySettings, type KeeperAddress, type Listener } from "./settings.js";
