// openNexus: the composition of the wiring in one process.
//
//   client --> roster of its service <-- links (other processes, as discovery and sockets know them)
//                                    <-- hosted here --> server (listens for other processes)

import { randomBytes } from "node:crypto";
import { hostname } from "node:os";
import { isMainThread } from "node:worker_threads";
import { processMark } from "../../process-mark.js";
import { isWildcard } from "../address.js";
import { type Clock, systemClock } from "../clock.js";
import { type Contract, checkContract } from "../contract.js";
import type { Discovery } from "../discovery/discovery.js";
import { checkInstance, type Instance, instanceId } from "../discovery/instance.js";
import { WiringError } from "../errors.js";
import type { CommonMethod } from "../everywhere.js";
import { Limit } from "../guard/limit.js";
import type { Log } from "../house.js";
import { type Limits, limitsOf } from "../limits.js";
import type { Metrics } from "../metrics/metrics.js";
import type { Curve } from "../rpc/curve.js";
import type { Credentials } from "../rpc/handshake.js";
import { Flusher } from "../rpc/outbox.js";
import { Server } from "../rpc/server.js";
import { TimerWheel } from "../rpc/timer-wheel.js";
import { ServiceClient } from "./client.js";
import { HostedService } from "./hosted.js";
import { Links } from "./links.js";
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
  /** By which processes know each other; the same for all of a cluster. */
  readonly credentials: Credentials;
  /** Where to connect to reach an endpoint that discovery names, through a tunnel for example; default: there. */
  readonly dial?: (endpoint: string) => string;
  /** Encrypts everything between processes; all of a cluster or none. */
  readonly curve?: Curve;
  /** Methods of every service that this process hosts, beside its contract's. */
  readonly common?: readonly CommonMethod[];
  /** In the meta of everything that is hosted here. */
  readonly meta?: Readonly<Record<string, string>>;
}

/** Warnings about malformed frames are logged at most this often; all of them are counted. */
const MALFORMED_LOG_MS = 1_000;

/**
 * Opens this process' nexus. It listens once something is hosted, connects once a client asks.
 *
 * `close()` leaves nothing that keeps the process alive; `discovery` stays open and is its owner's to close.
 */
export async function openNexus(options: NexusOptions): Promise<Nexus> {
  if (!isMainThread) {
    const why =
      "a nexus runs in a process' main thread only: when a worker thread ends, ZeroMQ's sockets in it abort the whole process";
    throw new Error(`${why}. Open it in the main thread, and let the worker speak through a MessagePort`);
  }
  return new ProcessNexus(options);
}

class ProcessNexus implements Nexus {
  readonly peer = `${process.pid}-${randomBytes(6).toString("hex")}` as PeerId;
  readonly #options: NexusOptions;
  readonly #limits: Limits;
  readonly #clock: Clock;
  readonly #wheel: TimerWheel;
  readonly #tally: Tally;
  readonly #flusher = new Flusher();
  readonly #links: Links;
  readonly #rosters = new Map<string, Roster>();
  readonly #subscriptions = new Map<string, Limit>();
  readonly #clients = new Set<Closable>();
  readonly #hosted = new Set<Closable & { readonly instance: Instance }>();
  /** Of what is hosted here. */
  readonly #ids = new Set<string>();
  #server: Promise<Server> | undefined;
  #malformedLoggedMs = Number.NEGATIVE_INFINITY;
  #closing: Promise<void> | undefined;

  constructor(options: NexusOptions) {
    this.#options = options;
    this.#limits = limitsOf(options.limits);
    this.#clock = options.clock ?? systemClock;
    this.#wheel = new TimerWheel(this.#clock);
    this.#tally = new Tally(options.metrics, this.#clock);
    this.#links = new Links({
      ...this.#shared("client"),
      discovery: options.discovery,
      own: (instance) => this.#ids.has(instance.id),
    });
  }

  client<C extends Contract>(contract: C): Client<C> {
    this.#mustBeOpen();
    checkContract(contract);
    const roster = this.#roster(contract.service);
    const unfollow = this.#links.follow(roster);
    const client: ServiceClient<C> = new ServiceClient(contract, {
      roster,
      clock: this.#clock,
      wheel: this.#wheel,
      log: this.#options.log,
      tally: this.#tally,
      callsMax: this.#limits.callsMax,
      subscriptions: this.#subscriptionsOf(contract.service),
      closed: () => {
        this.#clients.delete(client);
        unfollow();
      },
    });
    this.#clients.add(client);
    return client;
  }

  async host<C extends Contract>(
    contract: C,
    implementation: Implementation<C>,
    options: HostOptions<C> = {},
  ): Promise<Hosted<C>> {
    this.#mustBeOpen();
    checkContract(contract);
    const server = await this.#listening();
    const roster = this.#roster(contract.service);
    const instance = this.#describe(contract, options, server.endpoint);
    const hosted = new HostedService<C>(contract, implementation, options, instance, {
      clock: this.#clock,
      log: this.#options.log,
      tally: this.#tally,
      common: this.#options.common ?? [],
      changed: () => roster.changed(),
      closed: () => {
        roster.remove(target, "left");
        target.close();
        server.withdraw(anyHosted);
        this.#ids.delete(instance.id);
        this.#hosted.delete(hosted);
      },
    });
    const anyHosted = hosted as unknown as HostedService;
    const target = new LocalTarget(anyHosted, this.peer, this.#clock);
    this.#ids.add(instance.id);
    this.#hosted.add(hosted);
    server.serve(anyHosted); // Before discovery: who finds it may call it.
    hosted.registered(await this.#register(hosted));
    roster.put(target);
    return hosted;
  }

  hosted(): readonly Instance[] {
    return [...this.#hosted].map(({ instance }) => instance);
  }

  #mustBeOpen(): void {
    if (this.#closing) throw new WiringError("CLOSED", "this nexus is closed");
  }

  async #listening(): Promise<Server> {
    const { bind } = this.#options;
    if (isWildcard(bind))
      throw new TypeError(
        `${bind} is every address of this machine, and others could not call it; give one by which they reach it (host)`,
      );
    this.#server ??= Server.open({ ...this.#shared("server"), bind });
    try {
      return await this.#server;
    } catch (error) {
      this.#server = undefined;
      throw new Error(`cannot listen on ${bind}; give an address of this machine`, { cause: error });
    }
  }

  async #register<C extends Contract>(hosted: HostedService<C>) {
    try {
      return await this.#options.discovery.register(hosted.instance);
    } catch (error) {
      await hosted.close();
      throw error;
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    for (const client of this.#clients) await client.close();
    for (const hosted of this.#hosted) await hosted.close();
    await this.#links.close();
    await (await this.#server)?.close();
    this.#wheel.close();
    this.#tally.close();
  }

  #subscriptionsOf(service: string): Limit {
    const limit = this.#subscriptions.get(service) ?? new Limit(this.#limits.subscriptionsMax);
    this.#subscriptions.set(service, limit);
    return limit;
  }

  #roster(service: string): Roster {
    const roster = this.#rosters.get(service) ?? new Roster(service);
    this.#rosters.set(service, roster);
    return roster;
  }

  #describe<C extends Contract>(contract: C, options: HostOptions<C>, endpoint: string): Instance {
    const { curve, version } = this.#options;
    const mark = processMark();
    return checkInstance({
      service: contract.service,
      id: instanceId.parse(`${contract.service}-${randomBytes(4).toString("hex")}`),
      host: hostname(),
      pid: process.pid,
      ...(mark === undefined ? {} : { process: mark }),
      endpoint,
      startedAt: Date.now(),
      version,
      state: options.announce === false ? "starting" : "ready",
      ...(curve ? { curveKey: curve.publicKey } : {}),
      meta: { ...this.#options.meta, ...options.meta },
    });
  }

  /** What both ends of the wire need. */
  #shared(where: "client" | "server") {
    const { log, curve, credentials, dial } = this.#options;
    return {
      clock: this.#clock,
      limits: this.#limits,
      flusher: this.#flusher,
      tally: this.#tally,
      log,
      curve,
      credentials,
      dial,
      self: this.peer,
      malformed: (why: string) => this.#malformed(where, why),
    };
  }

  #malformed(where: string, why: string): void {
    this.#tally.count("wiring.malformed", { where });
    const nowMs = this.#clock.nowMs();
    if (nowMs - this.#malformedLoggedMs < MALFORMED_LOG_MS) return;
    this.#malformedLoggedMs = nowMs;
    this.#options.log.warn({ where }, why);
  }
}

interface Closable {
  close(): Promise<void>;
}
