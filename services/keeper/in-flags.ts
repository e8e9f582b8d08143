// in-flags: the keeper's command line.

import { parseArgs } from "node:util";
import { type Door, parseDoor } from "./in-clients.js";
import type { KeeperLimits } from "./ports.js";

export interface Flags {
  readonly doors: readonly Door[];
  readonly limits: KeeperLimits;
  /** An edge that says nothing for this long is killed. 0: never. */
  readonly silenceMs: number;
  /** Of an edge. Never empty. */
  readonly command: readonly string[];
}

/** An edge that takes thousands of clients over is busy with it for some tenths of a second. */
const SILENCE_MIN_MS = 500;

/** @throws {Error} that says what is wrong, and what is expected. */
export function readFlags(): Flags {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      listen: { type: "string", multiple: true, default: [] },
      mode: { type: "string", default: "600" },
      "max-connections": { type: "string", default: "50000" },
      "handover-ms": { type: "string", default: "30000" },
      "silence-ms": { type: "string", default: "600" },
      "no-standby": { type: "boolean", default: false },
    },
  });
  const mode = Number.parseInt(values.mode, 8);
  const doors = values.listen.map((text) => parseDoor(text, mode));
  const counts = { clientsMax: Number(values["max-connections"]), handoverMs: Number(values["handover-ms"]) };
  if (doors.length === 0) throw new Error("no --listen: expected at least one [NAME=]unix:/path or [NAME=]HOST:PORT");
  if (positionals.length === 0)
    throw new Error("no edge command: give it after --, such as -- node dist/bin/headframe.js run edge");
  if (!(mode >= 0 && mode <= 0o777))
    throw new Error(`--mode ${values.mode}: expected octal file permissions, such as 600`);
  for (const [name, value] of Object.entries(counts)) {
    if (!Number.isSafeInteger(value) || value < 1) throw new Error(`${name}: expected a whole number above 0`);
  }
  const silenceMs = Number(values["silence-ms"]);
  if (!Number.isSafeInteger(silenceMs) || (silenceMs > 0 && silenceMs < SILENCE_MIN_MS))
    throw new Error(`--silence-ms ${values["silence-ms"]}: expected 0 (never) or ${SILENCE_MIN_MS} and more`);
  return { doors, limits: { ...counts, standby: !values["no-standby"] }, silenceMs, command: positionals };
}
