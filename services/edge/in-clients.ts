// in-clients: all clients of this edge process, wherever their sockets come from.
//
//   in-keeper | in-listen --(socket, arrival)--> Clients --> one Client each --> Switchboard
//
//   A1. A PROXY header is believed, and demanded, from trusted sources only: anybody else's bytes are lines from the first one on.
//   A2. Writes of one tick leave in one system call a client; whoever gave us the clients hears their new states before.

import { randomUUID } from "node:crypto";
import { BlockList, isIP, type Socket } from "node:net";
import type { Carried, ClientFacts, Origin } from "../../lib/contracts/index.js";
import { type Log, Seldom } from "../../lib/wiring/index.js";
import { Debts } from "./debts.js";
import { type Arrival, Client, type ClientHouse } from "./in-client.js";
import type { MetricName } from "./metrics.js";
import type { ProxyFacts } from "./proxy.js";
import type { Settings } from "./settings.js";
import type { Switchboard } from "./switchboard.js";

interface Stated {
  readonly id: number;
  readonly state: Uint8Array;
}

/** Who gave us the sockets, and wants to know. */
export interface Giver {
  met(id: number, facts: ClientFacts): void;
  /** Backends said these in the tick that ends. */
  stated(states: readonly Stated[]): void;
  gone(id: number): void;
}

const KEEPALIVE_MS = 60_000;
const LOOK_MS = 10;
const LOG_EVERY_MS = 5_000;
/** Ids and listeners' names that others sent are cut to what the contract allows. */
const NAME_CHARACTERS_MAX = 64;

export class Clients implements ClientHouse {
  readonly debts: Debts;
  readonly #clients = new Map<number, Client>();
  readonly #trusted = new BlockList();
  readonly #trustsUnix: boolean;
  #corkedOnes: Client[] = [];
  #stated: Stated[] = [];
  #ending = false;
  readonly #complaints = new Seldom(LOG_EVERY_MS);

  constructor(
    readonly switchboard: Switchboard,
    readonly settings: Settings,
    readonly count: (name: MetricName, by?: number) => void,
    readonly giver: Giver,
    private readonly log: Log,
  ) {
    this.debts = new Debts(
      settings.unsentTotalBytesMax,
      () => performance.now(),
      (closed) => this.#tooIndebted(closed),
    );
    this.#trustsUnix = settings.trustedProxies.includes("unix");
    for (const range of settings.trustedProxies) this.#trust(range);
  }

  get size(): number {
    return this.#clients.size;
  }

  take(socket: Socket, arrival: Omit<Arrival, "proxied">): void {
    if (this.size >= this.settings.connectionsMax) {
      this.count("edge.refused");
      socket.destroy();
      this.giver.gone(arrival.id);
      return;
    }
    if (arrival.origin.address !== "unix") {
      socket.setNoDelay(true);
      socket.setKeepAlive(true, KEEPALIVE_MS);
    }
    this.#clients.set(arrival.id, new Client(this, socket, { ...arrival, proxied: this.#isTrusted(arrival.origin) }));
  }

  facts(header: ProxyFacts | undefined, origin: Origin): ClientFacts {
    const [, listener = origin.door, id = ""] =
      /^([\x21-\x2e\x30-\x7e]+)\/([\x21-\x7e]+)$/.exec(header?.uniqueId ?? "") ?? [];
    return {
      connection: id.slice(0, NAME_CHARACTERS_MAX) || randomUUID(),
      listener: listener.slice(0, NAME_CHARACTERS_MAX),
      remoteAddress: header?.source?.address ?? origin.address,
      remotePort: header?.source?.port ?? origin.port,
      secure: header?.secure ?? false,
      local: header?.local ?? false,
      since: Date.now(),
    };
  }

  met(arrival: Arrival, facts: ClientFacts): void {
    this.giver.met(arrival.id, facts);
  }

  gone(client: Client): void {
    if (this.#clients.get(client.arrival.id) !== client) return;
    this.#clients.delete(client.arrival.id);
    this.giver.gone(client.arrival.id);
  }

  /** A2 */
  corked(client: Client): void {
    this.#corkedOnes.push(client);
    this.#endTick();
  }

  /** A2 */
  stated({ arrival: { id } }: Client, state: Uint8Array): void {
    this.#stated.push({ id, state });
    this.#endTick();
  }

  ids(): number[] {
    return [...this.#clients.keys()];
  }

  /** Reads nothing more of this client; resolves when it has nothing under way, or after waitMs. */
  async hold(id: number, waitMs: number): Promise<void> {
    await this.#clients.get(id)?.hold(waitMs);
  }

  /** Whether it has yet to take some of what it was sent. */
  unsent(id: number): boolean {
    return this.#clients.get(id)?.unsent ?? false;
  }

  /** It takes nothing, and nobody could go on with it. */
  giveUp(id: number): void {
    this.#clients.get(id)?.giveUp();
  }

  /** After `hold`: it is no longer ours. Undefined: it has gone. */
  release(id: number): Carried | undefined {
    const carried = this.#clients.get(id)?.release();
    if (carried) {
      this.#clients.delete(id);
      this.count("edge.handedOver");
    }
    return carried;
  }

  /** Politely, all of them; resolves when they are gone, or after waitMs. */
  async endAll(waitMs: number): Promise<void> {
    const untilMs = performance.now() + waitMs;
    for (const client of [...this.#clients.values()]) client.end("client");
    while (this.size > 0 && performance.now() < untilMs) await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }

  /** At once. Where a keeper holds duplicates, the clients notice nothing. */
  destroyAll(): void {
    for (const client of [...this.#clients.values()]) client.socket.destroy();
  }

  #tooIndebted(closed: number): void {
    this.count("edge.unsentFull");
    const before = this.#complaints.pass();
    if (before === undefined) return;
    const bytesMax = this.settings.unsentTotalBytesMax;
    this.log.warn(
      { closed, bytesMax, alikeNotLogged: before },
      "clients that do not read were closed: all together owed too much",
    );
  }

  #endTick(): void {
    if (this.#ending) return;
    this.#ending = true;
    process.nextTick(() => {
      this.#ending = false;
      if (this.#stated.length > 0) this.giver.stated(this.#stated.splice(0));
      this.#uncork();
    });
  }

  #uncork(): void {
    const clients = this.#corkedOnes;
    this.#corkedOnes = [];
    for (const client of clients) client.uncork();
  }

  #trust(range: string): void {
    const [address = "", prefix] = range.split("/");
    const version = isIP(address);
    if (version !== 0) this.#trusted.addSubnet(address, Number(prefix), version === 6 ? "ipv6" : "ipv4");
  }

  #isTrusted({ address }: Origin): boolean {
    if (address === "unix") return this.#trustsUnix;
    const version = isIP(address);
    return version !== 0 && this.#trusted.check(address, version === 6 ? "ipv6" : "ipv4");
  }
}
