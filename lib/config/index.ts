// config: one file, checked by a schema, overridden by the environment and by flags. Its only door.

export * from "./issues.js";
export * from "./load.js";
export * from "./nearest.js";
