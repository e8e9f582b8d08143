// Where things lie, seen from the built file: dist/bin/paths.js.

import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));

/** The checkout, or the installed package. */
export const ROOT = resolve(here, "../..");
export const BIN = resolve(here, "headframe.js");
export const WITNESS = resolve(here, "witness.js");
export const KEEPER = resolve(here, "../services/keeper/main.js");
/** Run directories, unless configured otherwise: in the folder in which the command was called. */
export const RUNS = "run";
