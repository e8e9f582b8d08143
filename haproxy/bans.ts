// bans: who is refused until when, and for how long the next time. Pure but for its clock.
//
//   ban(address) --ladder--> 1 minute, 10 minutes, an hour, a day ...      expire() --> let in again, remembered for forgetAfterS
//
//   N1. While a ban lasts, reports of the same address change nothing: ten processes that saw one flood are one offence.
//   N2. An address of `neverBan`, or a range that holds one, is spared.
//   N3. At most BANS_MAX addresses are remembered: those that are not banned any more are forgotten first, then those whose ban
//       ends soonest.

import { BlockList, isIP } from "node:net";
import { BANS_MAX, type Ban, type BanReason } from "../lib/contracts/index.js";
import type { BanSettings } from "./settings.js";

const SECOND_MS = 1_000;

/** Milliseconds since the epoch: bans outlive the process. */
export type Clock = () => number;

export type Verdict =
  | { readonly outcome: "banned"; readonly ban: Ban }
  | { readonly outcome: "spared"; readonly why: string };

export class Bans {
  /** By address: banned now, or lately. */
  readonly #known = new Map<string, Ban>();
  #settings: BanSettings;
  #never: BlockList;

  constructor(
    settings: BanSettings,
    readonly now: Clock,
    remembered: readonly Ban[] = [],
  ) {
    this.#settings = settings;
    this.#never = blockList(settings.neverBan);
    for (const ban of remembered.slice(0, BANS_MAX)) this.#known.set(ban.address, ban);
    this.#spare();
  }

  /** @param seconds Instead of the ladder's next step. */
  ban(given: string, reason: BanReason, seconds?: number): Verdict {
    const address = canonical(given);
    if (this.#isSpared(address)) {
      return { outcome: "spared", why: `${address} is, or holds, an address of haproxy.bans.neverBan` }; // N2
    }
    const now = this.now();
    const before = this.#known.get(address);
    if (before && before.until > now && seconds === undefined) return { outcome: "banned", ban: before }; // N1
    const { stepsS } = this.#settings;
    const step = (before && !this.#isForgotten(before, now) ? before.step : 0) + 1;
    const forS = seconds ?? stepsS[Math.min(step, stepsS.length) - 1] ?? 0;
    const ban = { address, reason, step, until: (now + forS * SECOND_MS) as Ban["until"] };
    this.#known.delete(address);
    this.#makeRoom(now);
    this.#known.set(address, ban);
    return { outcome: "banned", ban };
  }

  /** Forgets the address. @returns whether it was banned. */
  unban(given: string): boolean {
    const address = canonical(given);
    const ban = this.#known.get(address);
    this.#known.delete(address);
    return ban !== undefined && ban.until > this.now();
  }

  /** In the order of their end. */
  banned(): readonly Ban[] {
    const now = this.now();
    return [...this.#known.values()].filter(({ until }) => until > now).sort((a, b) => a.until - b.until);
  }

  /** For the next start of this process: bans, and what is remembered for the ladder. */
  remember(): readonly Ban[] {
    const now = this.now();
    for (const ban of this.#known.values()) if (this.#isForgotten(ban, now)) this.#known.delete(ban.address);
    return [...this.#known.values()];
  }

  /** A new configuration: whom it spares is let in at once. */
  configure(settings: BanSettings): void {
    this.#settings = settings;
    this.#never = blockList(settings.neverBan);
    this.#spare();
  }

  #spare(): void {
    for (const address of this.#known.keys()) if (this.#isSpared(address)) this.#known.delete(address);
  }

  #isForgotten({ until }: Ban, now: number): boolean {
    return until + this.#settings.forgetAfterS * SECOND_MS < now;
  }

  /** N2 */
  #isSpared(address: string): boolean {
    const [base = "", prefix] = address.split("/");
    if (checkIn(this.#never, base)) return true;
    if (prefix === undefined) return false;
    const range = blockList([address]);
    return this.#settings.neverBan.some((each) => checkIn(range, each.split("/")[0] ?? ""));
  }

  /** N3 */
  #makeRoom(now: number): void {
    while (this.#known.size >= BANS_MAX) {
      const [first] = [...this.#known.values()].sort((a, b) => rank(a, now) - rank(b, now));
      if (!first) return;
      this.#known.delete(first.address);
    }
  }
}

const rank = ({ until }: Ban, now: number): number => (until <= now ? until - now : until);

/** IPv4 addresses that came over an IPv6 socket are the IPv4 ones that HAProxy sees; letters are small. */
function canonical(address: string): string {
  return address.toLowerCase().replace(/^::ffff:(?=\d+\.\d+\.\d+\.\d+)/, "");
}

function blockList(ranges: readonly string[]): BlockList {
  const list = new BlockList();
  for (const range of ranges) {
    const [address = "", prefix] = range.split("/");
    const family = isIP(address) === 6 ? "ipv6" : "ipv4";
    if (prefix === undefined) list.addAddress(address, family);
    else list.addSubnet(address, Number(prefix), family);
  }
  return list;
}

function checkIn(list: BlockList, address: string): boolean {
  const version = isIP(address);
  return version !== 0 && list.check(address, version === 6 ? "ipv6" : "ipv4");
}
