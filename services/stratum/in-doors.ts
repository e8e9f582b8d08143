// What the doors say: an address is refused from now on. Its connections that are here are let go, with a word for their people.
//
//   HAProxy's controllers --banned--> InDoors --> goodbye to each connection of the address

import { BlockList, isIP } from "node:net";
import type { Ban, HaproxyContract } from "../../lib/contracts/index.js";
import type { Client, Subscription } from "../../lib/wiring/index.js";
import type { Crowd } from "./connections.js";
import { showMessage } from "./protocol/encode.js";
import { say } from "./session.js";
import type { Tally } from "./tally.js";

const WORDS: Readonly<Record<Ban["reason"], string>> = {
  garbage: "too many lines from your address were no requests",
  "invalid-shares": "nearly all shares from your address were invalid",
  operator: "your address was banned by the pool's operator",
};

export class InDoors {
  readonly #subscription: Subscription;

  constructor(
    controllers: Pick<Client<HaproxyContract>, "subscribe">,
    private readonly crowd: Crowd,
    private readonly tally: Tally,
  ) {
    this.#subscription = controllers.subscribe("banned", { onMessage: (ban) => this.#letGo(ban) });
  }

  close(): void {
    this.#subscription.close();
  }

  #letGo({ address, reason, until }: Ban): void {
    const isBanned = matcher(address);
    const text = `Refused until ${new Date(until).toISOString()}: ${WORDS[reason]}`;
    for (const connection of this.crowd.connections.all()) {
      if (connection.closing || !isBanned(connection.address)) continue;
      this.tally.count("stratum.banned");
      const words = connection.session.phase === "mining" ? [say(showMessage(text))] : [];
      const effects = [...words, { kind: "close" as const, text }];
      this.crowd.unasked(connection, { session: connection.session, effects });
    }
  }
}

/** @param range An address, or a range in CIDR form. */
function matcher(range: string): (address: string) => boolean {
  const [base = "", prefix] = range.split("/");
  if (prefix === undefined) return (address) => address === base || address === `::ffff:${base}`;
  const list = new BlockList();
  list.addSubnet(base, Number(prefix), isIP(base) === 6 ? "ipv6" : "ipv4");
  return (address) => {
    const version = isIP(address);
    return version !== 0 && list.check(address, version === 6 ? "ipv6" : "ipv4");
  };
}
