// The address behind a host name, for a sender that must never wait and never fails: asked once a minute, and the last one is used on
// while the name server is away.

import dns from "node:dns";
import { isIP } from "node:net";

/** As long as a short-lived DNS record says at least; a statsd that moved is found within it. */
const TTL_MS = 60_000;

type Found = (error: NodeJS.ErrnoException | null, address: string, family: number) => void;

interface Address {
  readonly address: string;
  readonly family: number;
}

/** What dgram's `lookup` option takes. Keeps one name's address: a socket sends to one host. */
export function lastingLookup(): (hostname: string, options: dns.LookupOneOptions | number, found: Found) => void {
  let last: (Address & { readonly hostname: string; readonly at: number }) | undefined;
  /** Packets that wait for the answer on the way. */
  let waiting: { readonly hostname: string; readonly found: Found[] } | undefined;
  return (hostname, options, found) => {
    const version = isIP(hostname);
    const known = last?.hostname === hostname ? last : undefined;
    if (version > 0) found(null, hostname, version);
    else if (known && Math.abs(Date.now() - known.at) <= TTL_MS) found(null, known.address, known.family);
    else if (waiting?.hostname === hostname) waiting.found.push(found);
    else {
      const asking = { hostname, found: [found] };
      waiting = asking;
      const family = typeof options === "number" ? options : (options.family ?? 0);
      dns.lookup(hostname, { family }, (error, address, family) => {
        if (waiting === asking) waiting = undefined;
        const now: Address | undefined = error ? known : { address, family };
        // Also when it failed: or every packet would ask a name server that is away.
        if (now) last = { address: now.address, family: now.family, hostname, at: Date.now() };
        for (const tell of asking.found) tell(now ? null : error, now?.address ?? "", now?.family ?? 0);
      });
    }
  };
}
