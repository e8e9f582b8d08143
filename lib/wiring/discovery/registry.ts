// Registry: discovery over Redis.
//
//   register --> heartbeat.ts --> Redis: hash + index + channel
//   watch    <-- roster.ts <----- channel (joins, leaves, changes: at once) and index (every few seconds: safety net; one
//                                 small question while nothing changes, scripts/read.ts)
//
//   G1. Redis gone: every list stays as it was (D3). Redis back: it is read again at once, own instances are written again.
//   G2. A Redis that came back empty, or another one, or one that stood still (everybody's beats with it), is not trusted for one
//       ttl: so long everybody needs to be there again.
//   G3. A killed process leaves within one ttl by itself, and within milliseconds by its death certificate.
//   G4. A registration that does not fit the schema is skipped, counted, and named once in the log.

import type { Redis } from "ioredis";
import { z } from "zod";
import { durationMs } from "../../duration.js";
import { messageOf } from "../../thrown.js";
import { asking, duplicate, ears, settled } from "../connect.js";
import type { Log } from "../house.js";
import type { Metrics } from "../metrics/metrics.js";
import { noMetrics } from "../metrics/none.js";
import { quiet } from "../quiet.js";
import { clusterName } from "../state/keys.js";
import type { Discovery, Registration } from "./discovery.js";
import { Heartbeat, leaveNow } from "./heartbeat.js";
import type { Instance } from "./instance.js";
import { type Announcement, discoveryKeys, fromHash, readAnnouncement, type Seen } from "./record.js";
import { type Found, Roster } from "./roster.js";
import { LIFE_MAX_MS, read } from "./scripts/read.js";

export interface RegistryOptions {
  readonly redis: Redis;
  readonly cluster: string;
  /** Between two beats. Default 1_000 ms. */
  readonly everyMs?: number;
  /** How long an instance is believed without a beat, at most a minute. Default 5_000 ms: four beats may be late. */
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
  /** How the index stood when the roster was the same; undefined: everything must be read. */
  synced: Standing | undefined;
  /** Reads since everything was read. */
  reads: number;
}

/** The index of a service at one moment, in three values. */
interface Standing {
  readonly since: string;
  readonly generation: string;
  readonly size: number;
}

/** A life that ends is looked at this much later: Redis' clock and ours do not tick together. */
const EXPIRY_SLACK_MS = 25;
/** Reads never follow each other faster. */
const POLL_MIN_MS = 50;
const POLL_JITTER = 0.2;
/** An answer that took this part of a ttl comes from a Redis that took no beats meanwhile. */
const STOOD_STILL = 0.25;
/** A read in so many is of everything, whatever Redis says is new: about every two minutes. */
const WHOLE_EVERY = 60;
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
    this.#cluster = clusterName.parse(options.cluster);
    this.#everyMs = durationMs().parse(options.everyMs ?? 1_000);
    this.#ttlMs = durationMs(1, LIFE_MAX_MS).parse(options.ttlMs ?? 5_000);
    this.#pollMs = durationMs().parse(options.pollMs ?? 2_000);
    this.#log = options.log ?? quiet;
    this.#metrics = options.metrics ?? noMetrics;
    this.#asks = duplicate(options.redis, { ...asking, connectionName: "headframe-discovery" });
    this.#ears = duplicate(options.redis, { ...ears, connectionName: "headframe-discovery-ears" });
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
    const watched = known ?? { roster: new Roster(), listeners: new Set(), synced: undefined, reads: 0 };
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
    return lists.flatMap(({ found }) => found.flatMap(({ seen }) => (seen ? [seen.instance] : [])));
  }

  /**
   * The death certificate: removes every instance of a process whose end the caller has seen (a supervisor that waited for
   * it), and tells everyone. Only for a process that is certainly gone: a living one is refused from then on.
   *
   * @param mark Of that process, made while it lived (lib/process-mark.ts). Undefined, or an instance without one: in doubt nobody is
   * declared dead, and its lifetime decides.
   * @returns the instances that were removed.
   * @throws {Error} When Redis cannot be asked; the instances then expire by themselves.
   */
  async certifyDeath(mark: string | undefined): Promise<readonly Instance[]> {
    if (mark === undefined) return [];
    const dead = (await this.list()).filter((it) => it.process === mark);
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
    const services = [...this.#watched];
    const begunMs = performance.now();
    try {
      // One pipeline: same tick.
      const lists = await Promise.all(services.map(([service, watched]) => this.#read(service, synced(watched))));
      this.#metrics.count("discovery.polls", 1, { outcome: "ok" });
      this.#report(undefined);
      if (performance.now() - begunMs > this.#ttlMs * STOOD_STILL) this.#lost(); // G2
      services.forEach(([service, watched], i) => {
        const read = lists[i];
        if (read && this.#watched.get(service) === watched) this.#reconcile(watched, read);
      });
    } catch (error) {
      this.#metrics.count("discovery.polls", 1, { outcome: "failed" });
      this.#lost();
      this.#report(error);
    }
  }

  #reconcile(watched: Watched, read: ReadList): void {
    const now = performance.now();
    const { since, generation, size, whole, found, lifeMs } = read;
    if (since !== this.#since && this.#since !== undefined) this.#graceUntilMs = now + this.#ttlMs; // G2
    if (since !== "") this.#since = since;
    if (this.#graceUntilMs === Number.POSITIVE_INFINITY) this.#graceUntilMs = now + this.#ttlMs;
    const { roster } = watched;
    const trusted = now >= this.#graceUntilMs;
    const { changed, complete } = whole ? roster.reconcile(found, now, trusted) : roster.update(found, now, trusted);
    watched.reads = whole ? 0 : watched.reads + 1;
    watched.synced = trusted && complete ? { since, generation, size } : undefined;
    if (watched.synced) roster.renew(lifeMs, now);
    if (changed) this.#tell(watched);
  }

  async #read(service: string, known?: Standing): Promise<ReadList> {
    const keys = [
      discoveryKeys.index(this.#cluster, service),
      discoveryKeys.since(this.#cluster),
      discoveryKeys.generation(this.#cluster, service),
      discoveryKeys.news(this.#cluster, service),
    ];
    const prefix = discoveryKeys.instances(this.#cluster, service);
    const args = [prefix, known?.since ?? "", known?.generation ?? "", known?.size ?? ""];
    const [since, generation, size, lifeMs, whole, ...records] = readReply.parse(
      await read.run(this.#asks, keys, args),
    );
    const found = records.map(
      ([id, life, hash]): Found => ({ id, lifeMs: life, seen: this.#decode(prefix + id, hash) }),
    );
    return { since, generation, size, lifeMs, whole: whole === 1, found };
  }

  #decode(name: string, hash: readonly string[]): Seen | undefined {
    if (hash.length === 0) return undefined;
    try {
      return fromHash(hash);
    } catch (error) {
      this.#skip("hash", name, error);
      return undefined;
    }
  }

  #skip(where: "hash" | "channel", name: string, error: unknown): void {
    this.#metrics.count("discovery.broken", 1, { where });
    if (this.#broken.has(name) || this.#broken.size >= BROKEN_NAMED_MAX) return;
    this.#broken.add(name);
    const why = error instanceof z.ZodError ? z.prettifyError(error) : messageOf(error);
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

/** What to ask from: nothing once in a while, so that what nobody noted is seen, too. */
function synced({ synced, reads }: Watched): Standing | undefined {
  return reads < WHOLE_EVERY ? synced : undefined;
}

interface ReadList extends Standing {
  /** All of the index; otherwise what has changed. */
  readonly whole: boolean;
  readonly found: readonly Found[];
  /** Until the first life ends. */
  readonly lifeMs: number;
}

const readReply = z.tuple(
  [z.string(), z.string(), z.number(), z.number(), z.number()],
  z.tuple([z.string(), z.number(), z.array(z.string())]),
);
