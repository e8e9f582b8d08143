// Reports of addresses that misbehave, to whoever keeps the doors: every HAProxy's controller, for the address may come by any.
//
//   conduct.ts --offence--> what do all instances know of the address? --ban--> controllers (a ladder of times is theirs)
//
// Without a controller nothing is shut: the single connection was closed, and the offence is counted and said.

import { isIP } from "node:net";
import type { HaproxyContract } from "../../lib/contracts/index.js";
import type { Client, InstanceId, Log } from "../../lib/wiring/index.js";
import { type Offence, stands } from "./conduct.js";
import type { Tally } from "./tally.js";

/** Reports under way; beyond, an attack from that many addresses at once, the rest is reported at its next offence. */
const UNDER_WAY_MAX = 256;

export interface OutDoorsOptions {
  readonly controllers: Pick<Client<HaproxyContract>, "call" | "instances">;
  /** Of all instances; undefined: it cannot be said. */
  goodShares(address: string): Promise<number | undefined>;
  readonly log: Log;
  readonly tally: Tally;
}

export class OutDoors {
  readonly #underWay = new Set<string>();

  constructor(private readonly options: OutDoorsOptions) {}

  /** @param address Or an IPv6 /64. Never rejects. */
  async report(address: string, offence: Offence): Promise<void> {
    const { tally } = this.options;
    tally.count("stratum.offences", 1, ["reason", offence.reason]);
    // A client that came without HAProxy may have no address; it is then nobody's to shut out.
    if (isIP(address.split("/")[0] ?? "") === 0 || this.#underWay.has(address) || this.#underWay.size >= UNDER_WAY_MAX)
      return;
    this.#underWay.add(address);
    try {
      await this.#judge(address, offence);
    } finally {
      this.#underWay.delete(address);
    }
  }

  async #judge(address: string, offence: Offence): Promise<void> {
    const { controllers, log, goodShares } = this.options;
    const { reason } = offence;
    const good = await goodShares(address);
    if (good === undefined) {
      log.warn(
        { address, reason },
        "an address misbehaves; with Redis away nobody knows who else is there: it is let be",
      );
    } else if (!stands(good)) {
      log.info({ address, reason, good }, "an address misbehaves, and others there mine honestly: it is let be");
    } else if (controllers.instances().length === 0) {
      log.warn({ address, reason }, "an address misbehaves, and no HAProxy controller runs that could shut it out");
    } else {
      log.info({ address, ...offence, good }, "an address misbehaves: the doors are asked to refuse it");
      await Promise.all(controllers.instances().map(({ id }) => this.#ban(id, address, reason)));
    }
  }

  async #ban(to: InstanceId, address: string, reason: Offence["reason"]): Promise<void> {
    const { controllers, log } = this.options;
    try {
      await controllers.call("ban", { address, reason }, { to });
    } catch (error) {
      log.warn({ err: error, address, reason, controller: to }, "an address was not shut out at one of the doors");
    }
  }
}
