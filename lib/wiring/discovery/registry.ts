// Registry: discovery over Redis.
//
//   register --> heartbeat.ts --> Redis: hash + index + channel
//   watch    <-- roster.ts <----- channel (joins, leaves, changes: at once) and index (every few seconds: safety net)
//
//   G1. Redis gone: every list stays as it was (D3). Redis back: it is read again at once, own instances are written again.
//   G2. A Redis that came back empty, or another one, is not trusted for one ttl: so long everybody needs to be there again.
//   G3. A killed process leaves within one ttl by itself, and within milliseconds by its death certificate.
//   G4. A registration that does not fit the schema is skipped, counted, and named once in the log.

import type { Redis } from "ioredis";
import { z } from "zod";
import { asking, ears, settled } from "../connect.js";
import type { Log } from "../house.js";
import type { Metrics } from "../metrics/metrics.js";
import { noMetrics } from "../metrics/none.js";
import { quiet } from "../quiet.js";
import type { Discovery, Registration } from "./discovery.js";
import { Heartbeat, leaveNow } from "./heartbeat.js";
import type { Instance } from "./instance.js";
import { type Announcement, discoveryKeys, fromHash, readAnnouncement, type Seen } from "./record.js";
import { Roster } from "./roster.js";
import { list } from "./scripts/list.js";

export interface RegistryOptions {
  readonly redis: Redis;
  readonly cluster: string;
  /** Between two beats. Default 1_000 ms. */
  readonly everyMs?: number;
  /** How long an instance is believed without a beat. Default 5_000 ms: four beats may be late. */
  readonly ttlMs?: number;
  /** Between two reads of the index. Default 2_000 ms. */
  readonly pollMs?: number;
  readonly log?: Log;
  readonly metrics?: Metrics;
}

type Listener = (instances: readonly Instance[]) => void;

interface Watched {
  readonly roster: Roster;
  readonly listeners: Set<Listener>;
}

/** A life that ends is looked at this much later: Redis' clock and ours do not tick together. */
const EXPIRY_SLACK_MS = 25;
/** Reads never follow each other faster. */
const POLL_MIN_MS = 50;
const POLL_JITTER = 0.2;
/** register() waits so long for a Redis that is just coming up. */
const CONNECT_WAIT_MS = 5_000;
/** G4: names of broken records already said; more than that are counted only. */
const BROKEN_NAMED_MAX = 1_000;

export class Registry implements Discovery {
  readonly #asks: Redis;
  readonly #ears: Redis;
  readonly #cluster: string;
  readonly #everyMs: number;
  readonly #ttlMs: number;
  readonly #pollMs: number;
  readonly #log: Log;
  readonly #metrics: Metrics;
  readonly #heartbeats = new Set<Heartbeat>();
  readonly #watched = new Map<string, Watched>();
  readonly #broken = new Set<string>();
  #timer: NodeJS.Timeout | undefined;
  #polling: Promise<void> | undefined;
  #pollAgain = false;
  #failing = false;
  /** G2: until then nobody is dropped for not being in the index. Infinity while Redis is away. */
  #graceUntilMs = 0;
  #since: string | undefined;
  #closing: Promise<void> | undefined;

  private constructor(options: RegistryOptions) {
    this.#cluster = options.cluster;
    this.#everyMs = options.everyMs ?? 1_000;
    this.#ttlMs = options.ttlMs ?? 5_000;
    this.#pollMs = options.pollMs ?? 2_000;
    this.#log = options.log ?? quiet;
    this.#metrics = options.metrics ?? noMetrics;
    this.#asks = options.redis.duplicate({ ...asking, connectionName: "headframe-discovery" });
    this.#ears = options.redis.duplicate({ ...ears, connectionName: "headframe-discovery-ears" });
  }

  /**
   * Opens two connections of its own to the Redis that `redis` speaks to; `redis` itself is neither used nor closed.
   *
   * Does not wait for Redis: with it away, lists are empty until it is there and register() fails.
   */
  static open(options: RegistryOptions): Registry {
    const registry = new Registry(options);
    registry.#listen();
    return registry;
  }

  /**
   * Resolves when everyone can find the instance.
   *
   * @throws {Error} When Redis cannot take the registration within 5 s.
   */
  async register(instance: Instance): Promise<Registration> {
    if (this.#closing) throw new Error("this registry is closed");
    await settled(this.#asks, CONNECT_WAIT_MS);
    const heartbeat = await Heartbeat.open(this.#asks, instance, {
      cluster: this.#cluster,
      everyMs: this.#everyMs,
      ttlMs: this.#ttlMs,
      log: this.#log,
      metrics: this.#metrics,
    });
    this.#heartbeats.add(heartbeat);
    return {
      update: (changes) => heartbeat.update(changes),
      withdraw: () => {
        this.#heartbeats.delete(heartbeat);
        return heartbeat.close();
      },
    };
  }

  watch(service: string, listener: Listener): () => void {
    const known = this.#watched.get(service);
    const watched = known ?? { roster: new Roster(), listeners: new Set() };
    this.#watched.set(service, watched);
    // A wrapper of its own: the same function may watch twice and be stopped once.
    const told: Listener = (instances) => listener(instances);
    watched.listeners.add(told);
    told(watched.roster.list());
    if (!known) this.#pollSoon();
    return () => {
      watched.listeners.delete(told);
      if (watched.listeners.size === 0 && this.#watched.get(service) === watched) this.#watched.delete(service);
    };
  }

  /** What Redis lists right now, of one service or of all. @throws {Error} When Redis cannot be asked. */
  async list(service?: string): Promise<readonly Instance[]> {
    await settled(this.#asks, CONNECT_WAIT_MS);
    const services =
      service === undefined ? await this.#asks.zrange(discoveryKeys.services(this.#cluster), "0", "-1") : [service];
    const lists = await Promise.all(services.map((name) => this.#read(name)));
    return lists.flatMap(({ found }) => found.map(({ seen }) => seen.instance));
  }

  /**
   * The death certificate: removes every instance of a process whose end the caller has seen (a supervisor that waited for
   * it), and tells everyone. Only for a process that is certainly gone: a living one is refused from then on.
   *
   * @returns the instances that were removed.
   * @throws {Error} When Redis cannot be asked; the instances then expire by themselves.
   */
  async certifyDeath(process: { readonly host: string; readonly pid: number }): Promise<readonly Instance[]> {
    const dead = (await this.list()).filter(({ host, pid }) => host === process.host && pid === process.pid);
    await Promise.all(dead.map(({ service, id }) => leaveNow(this.#asks, this.#cluster, service, id, "died")));
    return dead;
  }

  close(): Promise<void> {
    this.#closing ??= this.#shutdown();
    return this.#closing;
  }

  async #shutdown(): Promise<void> {
    clearTimeout(this.#timer);
    this.#watched.clear(); // D4
    await Promise.all([...this.#heartbeats].map((heartbeat) => heartbeat.close()));
    await this.#polling;
    this.#asks.disconnect();
    this.#ears.disconnect();
  }

  #listen(): void {
    for (const connection of [this.#asks, this.#ears]) {
      connection.on("error", () => {}); // Beats and reads say it, once, in words.
      connection.on("close", () => this.#lost());
    }
    this.#asks.on("ready", () => {
      for (const heartbeat of this.#heartbeats) void heartbeat.beat(); // G1
      this.#pollSoon();
    });
    this.#ears.on("ready", () => void this.#subscribe());
    this.#ears.on("message", (_channel: string, text: string) => this.#hear(text));
  }

  async #subscribe(): Promise<void> {
    try {
      await this.#ears.subscribe(discoveryKeys.channel(this.#cluster));
      this.#pollSoon(); // What was announced meanwhile was not heard.
    } catch {
      // Redis stands still, or the connection ended. A connection that hears nothing is worth nothing: a new one.
      if (!this.#closing && this.#ears.status === "ready") this.#ears.disconnect(true);
    }
  }

  #hear(text: string): void {
    let message: Announcement;
    try {
      message = readAnnouncement(text);
    } catch (error) {
      this.#skip("channel", discoveryKeys.channel(this.#cluster), error);
      return;
    }
    const service = message.kind === "put" ? message.instance.service : message.service;
    const watched = this.#watched.get(service);
    if (!watched) return;
    const now = performance.now();
    const changed =
      message.kind === "put" ? watched.roster.put(message, message.ttlMs, now) : watched.roster.remove(message.id, now);
    if (changed) this.#tell(watched);
    this.#schedule(); // A new life may end before the next read.
  }

  #tell({ roster, listeners }: Watched): void {
    const instances = roster.list();
    for (const listener of listeners) listener(instances);
  }

  /** Redis is away: nothing is dropped until it is back and a ttl has passed. */
  #lost(): void {
    this.#graceUntilMs = Number.POSITIVE_INFINITY; // G1
  }

  #pollSoon(): void {
    if (this.#polling) this.#pollAgain = true;
    else this.#poll();
  }

  #poll(): void {
    if (this.#closing || this.#watched.size === 0) return;
    this.#pollAgain = false;
    this.#polling = this.#readAll().finally(() => {
      this.#polling = undefined;
      if (this.#pollAgain) this.#poll();
      else this.#schedule();
    });
  }

  #schedule(): void {
    clearTimeout(this.#timer);
    if (this.#closing || this.#polling || this.#watched.size === 0) return;
    const now = performance.now();
    let pauseMs = this.#pollMs * (1 - POLL_JITTER * Math.random());
    for (const { roster } of this.#watched.values()) {
      const lifeMs = roster.nextExpiryMs() - now;
      if (lifeMs > 0) pauseMs = Math.min(pauseMs, lifeMs + EXPIRY_SLACK_MS); // G3
    }
    this.#timer = setTimeout(() => this.#poll(), Math.max(pauseMs, POLL_MIN_MS));
    this.#timer.unref();
  }

  /** A listener asks for nothing, so a host that lost its power would never be missed: connect.ts, socketTimeout. */
  #knock(): void {
    if (this.#ears.status === "ready") this.#ears.ping().catch(() => {});
  }

  async #readAll(): Promise<void> {
    this.#knock();
    const services = [...this.#watched.keys()];
    try {
      const lists = await Promise.all(services.map((service) => this.#read(service))); // One pipeline: same tick.
      this.#metrics.count("discovery.polls", 1, { outcome: "ok" });
      this.#report(undefined);
      services.forEach((service, i) => {
        const read = lists[i];
        if (read) this.#reconcile(service, read);
      });
    } catch (error) {
      this.#metrics.count("discovery.polls", 1, { outcome: "failed" });
      this.#lost();
      this.#report(error);
    }
  }

  #reconcile(service: string, read: ReadList): void {
    const now = performance.now();
    if (read.since !== this.#since && this.#since !== undefined) this.#graceUntilMs = now + this.#ttlMs; // G2
    if (read.since !== "") this.#since = read.since;
    if (this.#graceUntilMs === Number.POSITIVE_INFINITY) this.#graceUntilMs = now + this.#ttlMs;
    const watched = this.#watched.get(service);
    if (watched?.roster.reconcile(read.found, now, now >= this.#graceUntilMs)) this.#tell(watched);
  }

  async #read(service: string): Promise<ReadList> {
    const keys = [discoveryKeys.index(this.#cluster, service), discoveryKeys.since(this.#cluster)];
    const prefix = discoveryKeys.instances(this.#cluster, service);
    const [since, ...records] = listReply.parse(await list.run(this.#asks, keys, [prefix]));
    const found: { seen: Seen; lifeMs: number }[] = [];
    for (const [lifeMs, hash] of records) {
      try {
        found.push({ lifeMs, seen: fromHash(hash) });
      } catch (error) {
        this.#skip("hash", prefix + (hash[hash.indexOf("id") + 1] ?? "?"), error);
      }
    }
    return { since, found };
  }

  #skip(where: "hash" | "channel", name: string, error: unknown): void {
    this.#metrics.count("discovery.broken", 1, { where });
    if (this.#broken.has(name) || this.#broken.size >= BROKEN_NAMED_MAX) return;
    this.#broken.add(name);
    const why = error instanceof z.ZodError ? z.prettifyError(error) : String(error);
    this.#log.warn(`skipping what stands under ${name} in Redis, it is no instance of ours: ${why}`);
  }

  #report(error: unknown): void {
    const failing = error !== undefined;
    if (failing === this.#failing) return;
    this.#failing = failing;
    if (failing) this.#log.warn({ err: error }, "discovery cannot read Redis; the last known instances are kept");
    else this.#log.info("discovery reads Redis again");
  }
}

interface ReadList {
  readonly since: string;
  readonly found: readonly { readonly seen: Seen; readonly lifeMs: number }[];
}

const listReply = z.tuple([z.string()], z.tuple([z.number(), z.array(z.string())]));
