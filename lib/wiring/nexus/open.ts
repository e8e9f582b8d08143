// openNexus: the composition of the wiring in one process.

import { randomBytes } from "node:crypto";
import { hostname } from "node:os";
import { type Clock, systemClock } from "../clock.js";
import type { Contract } from "../contract.js";
import type { Discovery } from "../discovery/discovery.js";
import { type Instance, instanceId } from "../discovery/instance.js";
import type { Log } from "../house.js";
import { defaultLimits, type Limits } from "../limits.js";
import type { Metrics } from "../metrics/metrics.js";
import { TimerWheel } from "../rpc/timer-wheel.js";
import { ServiceClient } from "./client.js";
import { HostedService } from "./hosted.js";
import { LocalTarget } from "./local.js";
import type { Client, Hosted, HostOptions, Implementation, Nexus, PeerId } from "./nexus.js";
import { Roster } from "./roster.js";
import { Tally } from "./tally.js";

export interface NexusOptions {
  readonly discovery: Discovery;
  /** Of the package, shown to operators. */
  readonly version: string;
  /** Host name or address that our sockets bind to and that others reach us by, `127.0.0.1`. */
  readonly bind: string;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly clock?: Clock;
  readonly limits?: Partial<Limits>;
}

export async function openNexus(options: NexusOptions): Promise<Nexus> {
  return new ProcessNexus(options);
}

class ProcessNexus implements Nexus {
  readonly peer = `${process.pid}-${randomBytes(6).toString("hex")}` as PeerId;
  readonly #options: NexusOptions;
  readonly #limits: Limits;
  readonly #clock: Clock;
  readonly #wheel: TimerWheel;
  readonly #tally: Tally;
  readonly #rosters = new Map<string, Roster>();
  readonly #clients = new Set<Client<Contract>>();
  readonly #hosted = new Set<Hosted<Contract>>();
  #closing: Promise<void> | undefined;

  constructor(options: NexusOptions) {
    this.#options = options;
    this.#limits = { ...defaultLimits, ...options.limits };
    this.#clock = options.clock ?? systemClock;
    this.#wheel = new TimerWheel(this.#clock);
    this.#tally = new Tally(options.metrics, this.#clock);
  }

  client<C extends Contract>(contract: C): Client<C> {
    const client: ServiceClient<C> = new ServiceClient(contract, {
      roster: this.#roster(contract.service),
      clock: this.#clock,
      wheel: this.#wheel,
      log: this.#options.log,
      tally: this.#tally,
      callsMax: this.#limits.callsMax,
      closed: () => this.#clients.delete(client as unknown as Client<Contract>),
    });
    this.#clients.add(client as unknown as Client<Contract>);
    return client;
  }

  async host<C extends Contract>(
    contract: C,
    implementation: Implementation<C>,
    options: HostOptions<C> = {},
  ): Promise<Hosted<C>> {
    const roster = this.#roster(contract.service);
    const hosted: HostedService<C> = new HostedService(
      contract,
      implementation,
      options,
      this.#describe(contract, options),
      {
        clock: this.#clock,
        log: this.#options.log,
        tally: this.#tally,
        changed: () => roster.changed(),
        closed: async () => {
          roster.remove(target, "left");
          target.close();
          this.#hosted.delete(hosted as unknown as Hosted<Contract>);
        },
      },
    );
    const target = new LocalTarget(hosted as unknown as HostedService, this.peer, this.#clock);
    this.#hosted.add(hosted as unknown as Hosted<Contract>);
    hosted.registered(await this.#options.discovery.register(hosted.instance));
    roster.put(target);
    return hosted;
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    for (const client of this.#clients) await client.close();
    for (const hosted of this.#hosted) await hosted.close();
    this.#wheel.close();
    this.#tally.close();
  }

  #roster(service: string): Roster {
    let roster = this.#rosters.get(service);
    if (!roster) {
      roster = new Roster(service);
      this.#rosters.set(service, roster);
    }
    return roster;
  }

  #describe<C extends Contract>(contract: C, options: HostOptions<C>): Instance {
    return {
      service: contract.service,
      id: instanceId.parse(`${contract.service}-${randomBytes(4).toString("hex")}`),
      host: hostname(),
      pid: process.pid,
      endpoint: `tcp://${this.#options.bind}:0`,
      startedAt: Date.now(),
      version: this.#options.version,
      state: options.announce === false ? "starting" : "ready",
      meta: { ...options.meta },
    };
  }
}
