// The package's version, as its own package.json says: one place, read once.

import { readFileSync } from "node:fs";
import { z } from "zod";

/** From dist/lib/wiring/ up to the package. */
const PACKAGE = new URL("../../../package.json", import.meta.url);

export const packageVersion: string = z
  .object({ version: z.string().max(64) })
  .parse(JSON.parse(readFileSync(PACKAGE, "utf8"))).version;
