// What the doors say: an address is refused from now on. Its connections that are here are let go, with a word for their people.
//
//   HAProxy's controllers --banned--> InDoors --> goodbye to each connection of the address
//
//   D1. A controller that is joined tells thousands of bans at once, and an address may have thousands of connections: the work is done
//       in slices of SLICE_MS, between which lines are answered.
//   D2. An address, or the /64 that is banned in its stead, is found without looking at anybody else. Only other ranges, which an
//       operator bans by hand, look at all connections, once for all that came meanwhile.

import { BlockList, isIP } from "node:net";
import { type Ban, type HaproxyContract, sourceOf } from "../../lib/contracts/index.js";
import type { Client, Subscription } from "../../lib/wiring/index.js";
import type { Connection, Crowd } from "./connections.js";
import { showMessage } from "./protocol/encode.js";
import { say } from "./session-state.js";
import type { Tally } from "./tally.js";

/** D1. A share waits no longer for it. */
const SLICE_MS = 5;

const WORDS: Readonly<Record<Ban["reason"], string>> = {
  garbage: "too many lines from your address were no requests",
  "invalid-shares": "nearly all shares from your address were invalid",
  operator: "your address was banned by the pool's operator",
};

export class InDoors {
  readonly #subscription: Subscription;
  /** Told, not begun. */
  #bans: Ban[] = [];
  #work: Generator<void> | undefined;
  #turn: NodeJS.Immediate | undefined;

  constructor(
    controllers: Pick<Client<HaproxyContract>, "subscribe">,
    private readonly crowd: Crowd,
    private readonly tally: Tally,
  ) {
    this.#subscription = controllers.subscribe("banned", {
      onMessage: (ban) => {
        this.#bans.push(ban);
        this.#soon();
      },
    });
  }

  close(): void {
    clearImmediate(this.#turn);
    this.#subscription.close();
  }

  #soon(): void {
    this.#turn ??= setImmediate(() => {
      this.#turn = undefined;
      this.#slice();
    });
  }

  /** D1 */
  #slice(): void {
    const untilMs = performance.now() + SLICE_MS;
    while (performance.now() < untilMs) {
      if (!this.#work && this.#bans.length === 0) return;
      this.#work ??= this.#apply(this.#bans.splice(0));
      if (this.#work.next().done) this.#work = undefined;
    }
    this.#soon();
  }

  /** A step is one ban, or one connection. */
  *#apply(bans: readonly Ban[]): Generator<void> {
    const { connections } = this.crowd;
    const ranges: { readonly ban: Ban; readonly holds: (address: string) => boolean }[] = [];
    for (const ban of bans) {
      const [base = "", prefix] = ban.address.split("/");
      const source = sourceOf(base);
      const isSource = prefix === undefined || source === ban.address;
      if (!isSource) ranges.push({ ban, holds: inRange(base, Number(prefix)) });
      for (const connection of isSource ? connections.from(source) : []) {
        this.#letGo(connection, ban);
        yield;
      }
      yield;
    }
    if (ranges.length === 0) return;
    for (const connection of connections.all()) {
      const range = ranges.find(({ holds }) => holds(connection.address));
      if (range) this.#letGo(connection, range.ban);
      yield;
    }
  }

  #letGo(connection: Connection, { reason, until }: Ban): void {
    if (connection.closing) return;
    this.tally.count("stratum.banned");
    const text = `Refused until ${new Date(until).toISOString()}: ${WORDS[reason]}`;
    const words = connection.session.phase === "mining" ? [say(showMessage(text))] : [];
    const effects = [...words, { kind: "close" as const, text }];
    this.crowd.unasked(connection, { session: connection.session, effects });
  }
}

function inRange(base: string, prefix: number): (address: string) => boolean {
  const list = new BlockList();
  list.addSubnet(base, prefix, isIP(base) === 6 ? "ipv6" : "ipv4");
  return (address) => {
    const version = isIP(address);
    return version !== 0 && list.check(address, version === 6 ? "ipv6" : "ipv4");
  };
}
