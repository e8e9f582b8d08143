// Witness: what the process manager cannot know by itself of the house's processes: that one serves, and whose death it saw.
//
//   manager --ready?--> discovery, a cheap call, HAProxy's own word        manager --it ended--> death certificate
//
//   P1. A service counts as started when its instance stands in discovery as ready and answers, so each finds what it needs.
//   P2. A process that ended is certified dead at once: nobody waits for its heartbeat to expire.

import { type Death, descendsFrom, type Readiness } from "../../circus/index.js";
import type { Haproxy } from "../../haproxy/index.js";
import { processMark, seenHere } from "../../lib/process-mark.js";
import type { House, Instance, Registry } from "../../lib/wiring/index.js";
import { untilServing } from "./readiness.js";

/** HAProxy answers within milliseconds; a busy machine gets time. */
const READY_MS = 10_000;
/**
 * Watchers whose processes are instances of the service of the same name; the keeper's edge is `edge`. A watcher of one's own may host
 * any service.
 */
const SERVICE_OF: Readonly<Record<string, string>> = {
  jobmanager: "jobmanager",
  reporter: "reporter",
  stratum: "stratum",
  keeper: "edge",
  "haproxy-controller": "haproxy",
  dashboard: "dashboard",
  miner: "miner",
};

/** What a witness looks through. */
export interface Sight {
  readonly haproxy: Haproxy;
  readonly house: House;
  readonly registry: Registry;
}

export interface WitnessDeps {
  /** May take its time: Redis may not be there yet. */
  see(signal: AbortSignal, waitsFor: (what: string) => void): Promise<Sight>;
  /** Undefined while nothing has been seen: then there is nothing to certify either. */
  seen(): Promise<Sight | undefined>;
}

export class Witness {
  constructor(private readonly deps: WitnessDeps) {}

  readonly ready: Readiness = async (watcher, pid, signal, waitsFor) => {
    const { registry, haproxy, house } = await this.deps.see(signal, waitsFor);
    if (watcher === "haproxy") {
      await haproxy.ready(READY_MS, signal);
      return;
    }
    const service = SERVICE_OF[watcher] ?? watcher;
    // The keeper's edge is the keeper's child; edges of other hosts, or of another keeper, say nothing of this one.
    const isIt = (it: Instance) =>
      service === "edge" ? it.state === "ready" && seenHere(it) && descendsFrom(it.pid, pid) : runsIn(it, pid);
    const list = (name: string) => registry.list(watcher in SERVICE_OF ? name : undefined);
    await untilServing(service, isIt, { house, list, signal, waitsFor }); // P1
  };

  async died({ pid, startTicks }: Death): Promise<void> {
    if (startTicks === undefined) return; // It ended before anybody could see which process it was: it registered nothing.
    const sight = await this.deps.seen();
    await sight?.registry.certifyDeath(processMark(pid, startTicks)); // P2
  }
}

/** Whether the instance is that living process' of this host. Where the system has no marks, host name and pid must do. */
function runsIn(it: Instance, pid: number): boolean {
  const mark = processMark(pid);
  return mark === undefined || it.process === undefined ? it.pid === pid && seenHere(it) : it.process === mark;
}
