// bans: who is refused until when, and for how long the next time. Pure but for its clock.
//
//   ban(address) --ladder--> 1 minute, 10 minutes, an hour, a day ...      expire() --> let in again, remembered for forgetAfterS
//
//   N1. While a ban lasts, reports of the same address change nothing: ten processes that saw one flood are one offence.
//   N2. An address of `neverBan`, or a range that holds one, is spared.
//   N4. Several controllers of one HAProxy share one file and agree: of two changes to an address the later one counts, an unban
//       included, so neither undoes the other's.
//   N3. At most BANS_MAX addresses are remembered: those that are not banned any more are forgotten first, then those whose ban
//       ends soonest.
//   N5. An IPv6 address is banned with its whole /64: who is refused by single addresses has 2^64 more.

import { BlockList, isIP } from "node:net";
import { BANS_MAX, type Ban, type BanReason, sourceOf } from "../lib/contracts/index.js";
import type { BanSettings } from "./settings.js";

const SECOND_MS = 1_000;
/** Forgotten at a time when there are too many. */
const ROOM = BANS_MAX / 100;

/** Milliseconds since the epoch: bans outlive the process. */
export type Clock = () => number;

export type Verdict =
  | { readonly outcome: "banned"; readonly ban: Ban }
  | { readonly outcome: "spared"; readonly why: string };

export class Bans {
  /** By address: banned now, or lately, or let in again by hand. */
  readonly #known = new Map<string, RememberedBan>();
  #settings: BanSettings;
  #never: BlockList;

  constructor(
    settings: BanSettings,
    readonly now: Clock,
    remembered: readonly RememberedBan[] = [],
  ) {
    this.#settings = settings;
    this.#never = blockList(settings.neverBan);
    this.merge(remembered);
  }

  /** N4: takes what another controller of the same HAProxy, or an earlier process, changed later than this one. */
  merge(others: readonly RememberedBan[]): void {
    const now = this.now();
    for (const other of others) {
      const own = this.#known.get(other.address);
      if ((own && !isLater(other, own)) || this.#isSpared(other.address)) continue;
      if (!own) this.#makeRoom(now);
      this.#known.set(other.address, other);
    }
  }

  /** @param seconds Instead of the ladder's next step. */
  ban(given: string, reason: BanReason, seconds?: number): Verdict {
    const address = canonical(given);
    if (this.#isSpared(address)) {
      return { outcome: "spared", why: `${address} is, or holds, an address of haproxy.bans.neverBan` }; // N2
    }
    const now = this.now();
    const before = this.#known.get(address);
    if (before && before.until > now && seconds === undefined) return { outcome: "banned", ban: asBan(before) }; // N1
    const { stepsS } = this.#settings;
    const counts = before && !isLifted(before) && !this.#isForgotten(before, now);
    const step = (counts ? before.step : 0) + 1;
    const forS = seconds ?? stepsS[Math.min(step, stepsS.length) - 1] ?? 0;
    const ban = { address, reason, step, until: (now + forS * SECOND_MS) as Ban["until"] };
    this.#put({ ...ban, changedAt: now as Ban["until"] });
    return { outcome: "banned", ban };
  }

  /** Forgets the address. @returns whether it was banned. */
  unban(given: string): boolean {
    const address = canonical(given);
    const ban = this.#known.get(address);
    if (!ban || isLifted(ban)) return false;
    const now = this.now();
    this.#put({ ...ban, until: LIFTED, changedAt: now as Ban["until"] });
    return ban.until > now;
  }

  /** In the order of their end. */
  banned(): readonly Ban[] {
    const now = this.now();
    const current = [...this.#known.values()].filter(({ until }) => until > now);
    return current.sort((a, b) => a.until - b.until || (a.address < b.address ? -1 : 1)).map(asBan);
  }

  /** For the next start of this process: bans, and what is remembered for the ladder. */
  remember(): readonly RememberedBan[] {
    const now = this.now();
    for (const ban of this.#known.values()) if (this.#isForgotten(ban, now)) this.#known.delete(ban.address);
    return [...this.#known.values()].sort((a, b) => (a.address < b.address ? -1 : 1));
  }

  /** A new configuration: whom it spares is let in at once. */
  configure(settings: BanSettings): void {
    this.#settings = settings;
    this.#never = blockList(settings.neverBan);
    this.#spare();
  }

  #put(ban: RememberedBan): void {
    this.#known.delete(ban.address);
    this.#makeRoom(this.now());
    this.#known.set(ban.address, ban);
  }

  #spare(): void {
    for (const address of this.#known.keys()) if (this.#isSpared(address)) this.#known.delete(address);
  }

  #isForgotten({ until, changedAt }: RememberedBan, now: number): boolean {
    return Math.max(until, changedAt) + this.#settings.forgetAfterS * SECOND_MS < now;
  }

  /** N2 */
  #isSpared(address: string): boolean {
    const [base = "", prefix] = address.split("/");
    if (checkIn(this.#never, base)) return true;
    if (prefix === undefined) return false;
    const range = blockList([address]);
    return this.#settings.neverBan.some((each) => checkIn(range, each.split("/")[0] ?? ""));
  }

  /** N3. Some at a time: to look for the next one to be forgotten costs a look at all. */
  #makeRoom(now: number): void {
    if (this.#known.size < BANS_MAX) return;
    const soonestFirst = [...this.#known.values()].sort((a, b) => rank(a, now) - rank(b, now));
    for (const { address } of soonestFirst.slice(0, ROOM)) this.#known.delete(address);
  }
}

/** What stands in the controllers' file. */
export interface RememberedBan extends Ban {
  /** When it was set, prolonged or lifted. */
  readonly changedAt: Ban["until"];
}

/** The end of a ban that was lifted by hand. */
const LIFTED = 0 as Ban["until"];
const isLifted = ({ until }: Ban): boolean => until === LIFTED;

const isLater = (a: RememberedBan, b: RememberedBan): boolean =>
  a.changedAt > b.changedAt || (a.changedAt === b.changedAt && a.until > b.until);

const asBan = ({ address, reason, until, step }: RememberedBan): Ban => ({ address, reason, until, step });

const rank = ({ until }: Ban, now: number): number => (until <= now ? until - now : until);

/** A single address stands for its source (N5); a range is what it says. Letters are small. */
function canonical(given: string): string {
  return given.includes("/") ? given.toLowerCase() : sourceOf(given);
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
