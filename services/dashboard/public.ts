// Public: what everybody may see who reaches the dashboard; the rest takes the token. Pure.
//
// Where a process listens, and the id of a connection, by which its session can be taken over, are not for everybody. This is applied to
// whole answers at the door (in-http.ts, live.ts), so that a field or an error text that is added later is covered, too.

const SECRET_KEYS: ReadonlySet<string> = new Set(["endpoint", "curveKey", "connection"]);
/** Addresses in texts: URLs, and host:port by number or loopback name, as errors of sockets name them. */
const ADDRESS =
  /\b[a-z][a-z0-9+.-]{1,15}:\/\/[^\s"'<>,;)\]]+|(?:\b\d{1,3}(?:\.\d{1,3}){3}|\[[0-9a-f:.]+\]|\blocalhost):\d{1,5}\b/gi;
const HIDDEN = "(address)";

export const publicText = (text: string): string => text.replace(ADDRESS, HIDDEN);

/** For JSON.stringify. */
export function publicly(key: string, value: unknown): unknown {
  if (SECRET_KEYS.has(key)) return undefined;
  return typeof value === "string" ? publicText(value) : value;
}
