// addresses: who is held to account for what comes from a client address, and refused for it. Pure.
//
//   192.0.2.7 -> 192.0.2.7      ::ffff:192.0.2.7 -> 192.0.2.7      2001:db8:1:2::7 -> 2001:db8:1:2::/64
//
// One subscriber of IPv6 has a /64 at least: whoever was refused by single addresses would have 2^64 more of them.

import { isIP } from "node:net";

/** Bits of an IPv6 address that tell subscribers apart; HAProxy's limits per address count by them as well (render.ts). */
export const SOURCE_BITS_V6 = 64;
const GROUPS = 8;
const SOURCE_GROUPS = SOURCE_BITS_V6 / 16;

/** An address, or the /64 of one; what is no address (a client that came over a unix socket) stays as it is. */
export function sourceOf(address: string): string {
  if (isIP(address) !== 6) return address;
  const groups = groupsOf(address);
  if (groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff) return ipv4Of(groups);
  const own = groups.slice(0, SOURCE_GROUPS);
  while (own.at(-1) === 0) own.pop();
  return `${own.map((group) => group.toString(16)).join(":")}::/${SOURCE_BITS_V6}`;
}

/** @param address An IPv6 one; a zone is left out. */
function groupsOf(address: string): number[] {
  // As the URL standard writes it: hex only, the longest run of zeros as `::`.
  const { hostname } = new URL(`http://[${address.split("%")[0]}]`);
  const [head = "", tail] = hostname.slice(1, -1).split("::");
  const parse = (part: string) => (part === "" ? [] : part.split(":").map((group) => Number.parseInt(group, 16)));
  const [left, right] = [parse(head), parse(tail ?? "")];
  return [...left, ...new Array<number>(GROUPS - left.length - right.length).fill(0), ...right];
}

function ipv4Of(groups: readonly number[]): string {
  return groups
    .slice(6)
    .flatMap((group) => [group >> 8, group & 255])
    .join(".");
}
