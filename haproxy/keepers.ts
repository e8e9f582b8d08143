// keepers: to whom HAProxy should give clients, from what edges say in discovery.
//
//   edge instances (meta keeper=PLACE ...) --listed--> Keepers --wanted--> upkeep.ts
//
//   E1. An edge comes and goes (killed, handed over, upgraded) while its keeper holds its clients. A keeper is taken off only when
//       no edge has named it for goneMs and it does not accept connections either.
//   E2. The last keeper is never taken off: HAProxy would refuse every client, and a keeper that comes back is found by its check.
//   E3. A unix socket is for the HAProxy of its own host; from elsewhere, a keeper is reached by its TCP door.
//   E4. Only edges that have proven that they belong to this installation, and whose key is allowed, count (main.ts watches the service
//       through the nexus): whoever can write to discovery cannot have clients sent to an address of their own.

import { createHash } from "node:crypto";
import type { Instance } from "../lib/wiring/index.js";
import { type KeeperAddress, keeperPlace } from "./settings.js";

export interface KeepersOptions {
  /** As instances of this host call it. */
  readonly host: string;
  /** Always there. */
  readonly fixed: readonly string[];
  /** Those of before the controller's own restart. */
  readonly remembered: readonly string[];
  readonly goneMs: number;
  /** Whether it accepts connections. */
  accepts(at: KeeperAddress["at"]): Promise<boolean>;
  nowMs(): number;
}

/** More in one cluster is a mistake in discovery, not a pool. */
const KEEPERS_MAX = 1_024;
const UNIX = "unix:";
const ANY_HOST = /^(0\.0\.0\.0|\[::\]|\*)$/;
const LOOPBACK = /^(127\.|\[::1\]|localhost$)/;

interface Known {
  readonly address: KeeperAddress;
  /** Undefined: an edge names it now. */
  unnamedSinceMs: number | undefined;
}

export class Keepers {
  /** By place. */
  readonly #known = new Map<string, Known>();
  readonly #options: KeepersOptions;
  #fixed: readonly string[];

  constructor(options: KeepersOptions) {
    this.#options = options;
    this.#fixed = options.fixed;
    for (const place of [...options.fixed, ...options.remembered]) this.#add(place, options.nowMs());
  }

  /** Those HAProxy should have, in a stable order. */
  get wanted(): readonly KeeperAddress[] {
    return [...this.#known.keys()].sort().flatMap((place) => this.#known.get(place)?.address ?? []);
  }

  get places(): readonly string[] {
    return [...this.#known.keys()].sort();
  }

  /** What discovery lists now. */
  listed(edges: readonly Instance[]): void {
    const named = new Set(edges.flatMap((edge) => placeFor(edge, this.#options.host) ?? []));
    for (const place of named) this.#add(place, undefined);
    for (const [place, known] of this.#known) {
      if (named.has(place)) known.unnamedSinceMs = undefined;
      else known.unnamedSinceMs ??= this.#options.nowMs();
    }
  }

  /** Those of a new configuration. */
  fix(places: readonly string[]): void {
    this.#fixed = places;
    for (const place of places) this.#add(place, this.#options.nowMs());
  }

  /** Takes off who is gone (E1); to be called every second or so. @returns the names of those. */
  async look(): Promise<string[]> {
    const gone: string[] = [];
    for (const [place, known] of this.#known) {
      if (!this.#isOverdue(place, known) || (await this.#options.accepts(known.address.at))) continue;
      if (this.#known.size === 1 || !this.#isOverdue(place, known)) continue; // E2; it was named meanwhile.
      this.#known.delete(place);
      gone.push(known.address.name);
    }
    return gone;
  }

  #isOverdue(place: string, { unnamedSinceMs }: Known): boolean {
    const { goneMs, nowMs } = this.#options;
    return unnamedSinceMs !== undefined && nowMs() - unnamedSinceMs >= goneMs && !this.#fixed.includes(place);
  }

  #add(place: string, unnamedSinceMs: number | undefined): void {
    if (this.#known.has(place) || this.#known.size >= KEEPERS_MAX) return;
    const address = keeperAddress(place);
    if (address) this.#known.set(place, { address, unnamedSinceMs });
  }
}

/** The server of a keeper: the same place always has the same name. Undefined: no place. */
export function keeperAddress(place: string): KeeperAddress | undefined {
  if (!keeperPlace.safeParse(place).success) return undefined; // It comes from elsewhere, and goes into a configuration file.
  const name = `keeper-${createHash("sha256").update(place).digest("hex").slice(0, 8)}`;
  if (place.startsWith(`${UNIX}/`)) return { name, at: { path: place.slice(UNIX.length) } };
  const [, bracketed, plain, port] = /^(?:\[([^\]]+)\]|([\w.-]+)):(\d{1,5})$/.exec(place) ?? [];
  const host = bracketed ?? plain;
  return host === undefined ? undefined : { name, at: { host, port: Number(port) } };
}

/** E3 */
function placeFor({ host, endpoint, meta }: Instance, here: string): string | undefined {
  const places = (meta.keeper ?? "").split(" ").filter((place) => place !== "");
  const near = host === here ? places.find((place) => place.startsWith(UNIX)) : undefined;
  return (
    near ??
    places.filter((place) => !place.startsWith(UNIX)).flatMap((place) => reachable(place, endpoint, host === here))[0]
  );
}

/** A door on every address is reached by the one at which its edge is called. */
function reachable(place: string, endpoint: string, near: boolean): string[] {
  const [, host = "", port = ""] = /^(.*):(\d{1,5})$/.exec(place) ?? [];
  const [, called = host] = /^tcp:\/\/(.*):\d+$/.exec(endpoint) ?? [];
  const use = ANY_HOST.test(host) ? called : host;
  return LOOPBACK.test(use) && !near ? [] : [`${use}:${port}`];
}
