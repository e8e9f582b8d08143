// Links: joins what discovery says with what the sockets say, and keeps the rosters.
//
//   discovery --instances of watched services--> one Link per process (endpoint) --live--> RemoteTarget --> roster
//
//   J1. An instance is on its roster while its link is live. The socket is the faster witness of a death, and the better one
//       of a life: discovery dropping an instance whose socket lives (Redis restarted, the process was too busy to
//       beat) changes nothing. It leaves by saying so, or with its link.
//   J2. A link that was lost is opened again, with growing pauses, for as long as discovery lists somebody there.
//   J3. Nobody scans: a change costs what changed.
//   J4. A link proves that a process lives, not that it is the one that was registered: another one may have got its port. So the far side is
//       asked whether an instance is its own when it is put on a roster, and again when discovery drops it.

import { hostname } from "node:os";
import { isLoopback } from "../address.js";
import type { Clock } from "../clock.js";
import type { Discovery } from "../discovery/discovery.js";
import type { Instance } from "../discovery/instance.js";
import { Link, type LinkAddress, type LinkOwner, type LinkParts } from "../rpc/link.js";
import { RemoteTarget } from "./remote.js";
import type { LeaveReason, Roster } from "./roster.js";
import type { Tally } from "./tally.js";

const RETRY_MS = 25;
const RETRY_MAX_MS = 1_000;
/** A process that was killed stays listed for a while; one that is unreachable for longer is worth a line. */
const FAILURES_TO_WARN = 8;

export interface LinksParts extends LinkParts {
  readonly discovery: Discovery;
  readonly tally: Tally;
  readonly clock: Clock;
  /** True: it is hosted here, so no link is needed. */
  own(instance: Instance): boolean;
}

/** One other process. */
interface Neighbour {
  readonly endpoint: string;
  /** What discovery lists there, of the watched services. */
  readonly listed: Map<string, Instance>;
  /** On their rosters, while the link is live. */
  readonly targets: Map<string, RemoteTarget>;
  link: Link | undefined;
  stopRetry: (() => void) | undefined;
  failures: number;
  /** It and this process do not know the same secret. */
  refused: boolean;
}

interface Watched {
  readonly roster: Roster;
  readonly stop: () => void;
  users: number;
  /** The last list, by instance id. */
  known: Map<string, Instance>;
}

export class Links implements LinkOwner {
  readonly #parts: LinksParts;
  readonly #watched = new Map<string, Watched>();
  readonly #neighbours = new Map<string, Neighbour>();
  readonly #closing = new Set<Promise<void>>();
  #serial = 0;

  constructor(parts: LinksParts) {
    this.#parts = parts;
  }

  /** Follows a service for one more client. @returns the way to stop. */
  follow(roster: Roster): () => void {
    const watched = this.#watched.get(roster.service) ?? this.#watch(roster);
    watched.users += 1;
    return () => {
      watched.users -= 1;
      if (watched.users === 0) this.#unwatch(watched);
    };
  }

  async close(): Promise<void> {
    for (const watched of [...this.#watched.values()]) this.#unwatch(watched);
    await Promise.all(this.#closing);
  }

  #watch(roster: Roster): Watched {
    const watched: Watched = { roster, users: 0, known: new Map(), stop: () => stop() };
    this.#watched.set(roster.service, watched);
    const stop = this.#parts.discovery.watch(roster.service, (instances) => this.#news(watched, instances));
    return watched;
  }

  #unwatch(watched: Watched): void {
    watched.stop();
    for (const neighbour of [...this.#neighbours.values()]) {
      for (const instance of [...neighbour.listed.values()]) {
        if (instance.service === watched.roster.service) neighbour.listed.delete(instance.id);
      }
      for (const target of [...neighbour.targets.values()]) {
        if (target.instance.service === watched.roster.service) this.#take(neighbour, target, "left");
      }
      this.#settle(neighbour);
    }
    this.#watched.delete(watched.roster.service); // Last: its roster, which the next client gets, must have lost its targets.
  }

  #news(watched: Watched, instances: readonly Instance[]): void {
    const known = new Map<string, Instance>();
    for (const instance of instances) if (!this.#parts.own(instance)) known.set(instance.id, instance);
    const before = watched.known;
    watched.known = known;
    for (const [id, instance] of before) if (known.get(id)?.endpoint !== instance.endpoint) this.#unlisted(instance);
    for (const instance of known.values()) this.#listed(watched, instance);
  }

  #listed(watched: Watched, instance: Instance): void {
    const neighbour = this.#neighbours.get(instance.endpoint) ?? this.#meet(instance.endpoint);
    neighbour.listed.set(instance.id, instance);
    const target = neighbour.targets.get(instance.id);
    if (target) {
      if (sameInstance(target.instance, instance)) return;
      target.describe(instance);
      watched.roster.changed();
    } else if (neighbour.link?.live) this.#put(neighbour, neighbour.link, instance);
    else this.#settle(neighbour);
  }

  #unlisted(instance: Instance): void {
    const neighbour = this.#neighbours.get(instance.endpoint);
    neighbour?.listed.delete(instance.id);
    if (!neighbour) return;
    if (neighbour.targets.has(instance.id)) neighbour.link?.askFor(instance.id); // J4
    this.#settle(neighbour); // J1: its target stays, if its link is live.
  }

  #meet(endpoint: string): Neighbour {
    const neighbour: Neighbour = {
      endpoint,
      listed: new Map(),
      targets: new Map(),
      link: undefined,
      stopRetry: undefined,
      failures: 0,
      refused: false,
    };
    this.#neighbours.set(endpoint, neighbour);
    return neighbour;
  }

  /** Opens, keeps or closes the link, as there is a reason to have it. */
  #settle(neighbour: Neighbour): void {
    const wanted = neighbour.listed.size > 0 || neighbour.targets.size > 0;
    if (wanted) {
      if (!neighbour.link && !neighbour.stopRetry) this.#connect(neighbour);
      return;
    }
    neighbour.stopRetry?.();
    this.#neighbours.delete(neighbour.endpoint);
    this.#pardon(neighbour);
    const { link } = neighbour;
    neighbour.link = undefined;
    if (!link) return;
    const closing = link.close().finally(() => this.#closing.delete(closing));
    this.#closing.add(closing);
  }

  #connect(neighbour: Neighbour): void {
    const [any] = neighbour.listed.values();
    if (!any) return;
    const { curve, log } = this.#parts;
    if ((curve === undefined) !== (any.curveKey === undefined)) {
      const who = curve ? "offers none" : "demands it";
      log.warn(
        { instance: any.id },
        `no link: this process ${curve ? "encrypts" : "does not encrypt"}, and the instance ${who}`,
      );
      return;
    }
    if (curve?.allowed && !curve.allowed.admits(any.curveKey ?? "")) {
      this.#stranger(neighbour, any);
      return;
    }
    this.#serial += 1;
    const address: LinkAddress = { endpoint: neighbour.endpoint, curveKey: any.curveKey, serial: this.#serial };
    neighbour.link = new Link(address, this.#parts, this);
  }

  /** Whoever can write to discovery could name an address of his own: we speak only to keys that are on our list. */
  #stranger(neighbour: Neighbour, instance: Instance): void {
    const { log, tally } = this.#parts;
    tally.count("wiring.keys_refused", { side: "instance" });
    if (neighbour.failures === 0) {
      const { id, curveKey } = instance;
      log.warn({ instance: id, key: curveKey }, "no link: the instance's key is not on the list of allowed keys");
    }
    this.#retry(neighbour); // The list may change.
  }

  up(link: Link): void {
    const neighbour = this.#neighbours.get(link.address.endpoint);
    if (neighbour?.link !== link) return;
    neighbour.failures = 0;
    this.#pardon(neighbour);
    for (const instance of neighbour.listed.values()) this.#put(neighbour, link, instance);
  }

  refused(link: Link, reason: string): void {
    const { endpoint } = link.address;
    const neighbour = this.#neighbours.get(endpoint);
    if (neighbour?.link !== link) return;
    const { log, tally } = this.#parts;
    tally.count("wiring.peers_refused", { side: "instance", reason: "secret" });
    const why = `${endpoint} and this process refuse each other: ${reason}. Give both the same file (wiring.secretFile) and the same \`cluster\``;
    if (!neighbour.refused) log.warn({ endpoint, instances: [...neighbour.listed.keys()] }, why); // Once: it is tried again.
    neighbour.refused = true;
    for (const { service } of neighbour.listed.values()) this.#watched.get(service)?.roster.refuse(endpoint, why);
  }

  #pardon(neighbour: Neighbour): void {
    if (!neighbour.refused) return;
    neighbour.refused = false;
    for (const { roster } of this.#watched.values()) roster.pardon(neighbour.endpoint);
  }

  down(link: Link, reason: string, left: boolean): void {
    const neighbour = this.#neighbours.get(link.address.endpoint);
    if (neighbour?.link !== link) return;
    neighbour.link = undefined;
    if (neighbour.failures === FAILURES_TO_WARN && neighbour.listed.size > 0) {
      const instances = [...neighbour.listed.keys()];
      const elsewhere = [...neighbour.listed.values()].find(({ host }) => host !== hostname());
      const hint =
        elsewhere && isLoopback(neighbour.endpoint)
          ? `: it runs on another host, ${elsewhere.host}, and gave a loopback address; set \`host\` there to an address by which others reach it`
          : "";
      this.#parts.log.warn(
        { endpoint: neighbour.endpoint, instances, reason },
        `listed by discovery, and cannot be reached${hint}`,
      );
    }
    if (neighbour.targets.size > 0) {
      this.#parts.tally.count("wiring.links_lost", { reason: left ? "goodbye" : "gone" });
      this.#parts.log.info(
        { endpoint: neighbour.endpoint, instances: [...neighbour.targets.keys()], reason },
        "link lost",
      );
    }
    for (const target of [...neighbour.targets.values()]) this.#take(neighbour, target, left ? "left" : "gone");
    this.#retry(neighbour);
    this.#settle(neighbour);
  }

  withdrawn(link: Link, instanceId: string): void {
    const neighbour = this.#neighbours.get(link.address.endpoint);
    if (neighbour?.link !== link) return;
    neighbour.listed.delete(instanceId);
    const target = neighbour.targets.get(instanceId);
    if (target) this.#take(neighbour, target, "left");
    this.#settle(neighbour);
  }

  /** J2 */
  #retry(neighbour: Neighbour): void {
    const pauseMs =
      Math.min(RETRY_MAX_MS, RETRY_MS * 2 ** Math.min(neighbour.failures, 10)) * (0.5 + Math.random() / 2);
    neighbour.failures += 1;
    neighbour.stopRetry = this.#parts.clock.after(pauseMs, () => {
      neighbour.stopRetry = undefined;
      this.#settle(neighbour);
    });
  }

  #put(neighbour: Neighbour, link: Link, instance: Instance): void {
    const watched = this.#watched.get(instance.service);
    if (!watched) return;
    link.askFor(instance.id); // J4
    const target = new RemoteTarget(instance, link);
    neighbour.targets.set(instance.id, target);
    watched.roster.put(target);
  }

  #take(neighbour: Neighbour, target: RemoteTarget, reason: LeaveReason): void {
    neighbour.targets.delete(target.instance.id);
    this.#watched.get(target.instance.service)?.roster.remove(target, reason);
    target.link.calls.lose(
      `${target.instance.id} ${reason === "left" ? "has left" : "is gone"}`,
      (call) => call.target === target,
    );
  }
}

function sameInstance(a: Instance, b: Instance): boolean {
  return a.state === b.state && JSON.stringify(a.meta) === JSON.stringify(b.meta) && a.version === b.version;
}
