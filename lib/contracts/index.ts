// contracts: what services say to each other. Services import these, never each other.

export * from "./addresses.js";
export * as chain from "./chain/index.js";
export * from "./dashboard.js";
export * from "./haproxy.js";
export * from "./ids.js";
export * from "./jobs.js";
export * from "./keeper.js";
export * from "./lines.js";
export * from "./shares.js";
export * from "./stratum.js";
