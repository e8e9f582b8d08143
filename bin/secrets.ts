// Secrets in a configuration: shown to nobody, wherever a configuration is shown.

import { hidePassword } from "../lib/wiring/index.js";

/** Keys that hold a secret themselves. Those that name a file of one do not. */
const SECRET = /^(password|sentinelPassword|secret|token)$/i;
const HIDDEN = "***";

/** The same with every secret masked, passwords in URLs included. */
export function maskSecrets(value: unknown, key = ""): unknown {
  if (Array.isArray(value)) return value.map((it) => maskSecrets(it, key));
  if (typeof value === "object" && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([name, it]) => [name, maskSecrets(it, name)]));
  }
  if (typeof value !== "string" || value === "") return value;
  return SECRET.test(key) ? HIDDEN : hidePassword(value);
}
