// JSON for programs: bytes as hex, the rest as it is.

export function toJson(value: unknown, indent = 2): string {
  return JSON.stringify(
    value,
    (_key, it: unknown) => (it instanceof Uint8Array ? Buffer.from(it).toString("hex") : it),
    indent,
  );
}
