// JSON for programs: bytes as hex, the rest as it is.

export function toJson(value: unknown, indent = 2): string {
  return JSON.stringify(value, hexed, indent);
}

/** By what stands there, not by what it makes of itself: a Buffer would come as a list of numbers. */
function hexed(this: Readonly<Record<string, unknown>>, key: string, it: unknown): unknown {
  const own = this[key];
  return own instanceof Uint8Array ? Buffer.from(own).toString("hex") : it;
}
