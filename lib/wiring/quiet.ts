// A log that says nothing: for tools and tests that were not given one.

import { pino } from "pino";
import type { Log } from "./house.js";

export const quiet: Log = pino({ level: "silent" });
