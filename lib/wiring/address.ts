// Addresses: what an instance listens on is also what others reach it by, so it must mean the same place to all of them.

import { isIPv4, isIPv6 } from "node:net";

/** "[::1]" -> "::1" */
const bare = (host: string): string => host.replace(/^\[(.*)\]$/, "$1");

/** Every address of the machine: to listen on, but nobody can call it. */
export const isWildcard = (host: string): boolean =>
  ["*", "0", "0.0.0.0"].includes(host) || (isIPv6(bare(host)) && /^[0:]+$/.test(bare(host)));

/** As it stands in an endpoint: an IPv6 address in brackets. */
export const inEndpoint = (host: string): string => (isIPv6(bare(host)) ? `[${bare(host)}]` : host);

/** Of `tcp://HOST:PORT`. */
export const isIPv6Endpoint = (endpoint: string): boolean => endpoint.startsWith("tcp://[");

/** Reached from its own host only. */
export function isLoopback(endpoint: string): boolean {
  const host = bare(endpoint.replace(/^tcp:\/\//, "").replace(/:\d+$/, ""));
  return host === "localhost" || host === "::1" || (isIPv4(host) && host.startsWith("127."));
}
