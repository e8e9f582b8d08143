// Log output that never blocks, throws or ends the process that logs. This is its only door; nothing here loads a package.

export { LogFile, openLogFile, type RotationLimits } from "./file.js";
export { type LineTarget, LineWriter, type LineWriterOptions } from "./line-writer.js";
export { lostAsJson, type StandardFd, standardLines } from "./standard.js";
