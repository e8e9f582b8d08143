// Heartbeat: how an instance tells discovery that it is alive.
//
//   Heartbeat --(one script, every everyMs with jitter)--> Redis --> registry.ts of everyone else
//
// A process that dies stops rewriting its hash, Redis expires it, and readers drop the instance.
//
//   H1. A beat renews the registration if it stands in Redis as we know it, and otherwise writes the whole of it: a Redis that
//       comes back empty knows everything one beat later.
//   H2. Beats go out one at a time and are never queued: a beat that Redis could not take is dropped, the next one is newer.
//   H3. Once close() resolves nothing brings the instance back: the script that removes it leaves a grave that refuses beats.

import type { Redis } from "ioredis";
import type { Log } from "../house.js";
import type { Metrics } from "../metrics/metrics.js";
import type { InstanceChanges, Registration } from "./discovery.js";
import { checkInstance, type Instance } from "./instance.js";
import { announce, discoveryKeys, type Seen, toHash } from "./record.js";
import { beat } from "./scripts/beat.js";
import { leave } from "./scripts/leave.js";
import { renew } from "./scripts/renew.js";

export interface HeartbeatOptions {
  readonly cluster: string;
  readonly everyMs: number;
  readonly ttlMs: number;
  readonly log: Log;
  readonly metrics: Metrics;
}

/** Beats of processes started together must not arrive together: each pause is 80 to 100 % of everyMs. */
const JITTER = 0.2;

/** A beat in so many is in full whatever Redis says: it renews what the others do not touch (the life of the indexes). */
const WHOLE_EVERY = 16;

/** How long an instance's grave refuses beats: longer than one may be under way. */
export const GRAVE_MS = 60_000;

export class Heartbeat implements Registration {
  #instance: Instance;
  #revision = 1;
  #timer: NodeJS.Timeout | undefined;
  /** The last beat begun, and all before it. */
  #beats: Promise<unknown> = Promise.resolve();
  #closing: Promise<void> | undefined;
  #failing = false;
  /** The revision that Redis took last. */
  #stands = 0;
  /** Beats since the last one in full. */
  #renewed = 0;

  private constructor(
    private readonly redis: Redis,
    instance: Instance,
    private readonly options: HeartbeatOptions,
  ) {
    this.#instance = instance;
  }

  /**
   * Resolves after the first beat, so that a registered instance is discoverable.
   *
   * @param redis Must fail fast (no offline queue), see connect.ts.
   * @throws {Error} When the first beat cannot be written.
   */
  static async open(redis: Redis, instance: Instance, options: HeartbeatOptions): Promise<Heartbeat> {
    const heartbeat = new Heartbeat(redis, checkInstance(instance), options);
    await heartbeat.#write();
    heartbeat.#schedule();
    return heartbeat;
  }

  get instance(): Instance {
    return this.#instance;
  }

  /** Writes the change at once; when Redis is away the next beat carries it. @throws {TypeError} when no reader would accept it. */
  async update(changes: InstanceChanges): Promise<void> {
    if (this.#closing) return;
    const meta = { ...(changes.meta ?? this.#instance.meta) };
    this.#instance = checkInstance({ ...this.#instance, ...changes, meta });
    this.#revision += 1;
    await this.beat();
  }

  /** One beat now, after the one under way. Never rejects. */
  beat(): Promise<void> {
    const after = this.#beats.then(() => this.#beat());
    this.#beats = after;
    return after;
  }

  withdraw(): Promise<void> {
    return this.close();
  }

  close(): Promise<void> {
    this.#closing ??= this.#leave();
    return this.#closing;
  }

  async #leave(): Promise<void> {
    clearTimeout(this.#timer);
    await this.#beats;
    const { cluster, log } = this.options;
    const { service, id } = this.#instance;
    try {
      await leaveNow(this.redis, cluster, service, id, "left"); // H3
    } catch (error) {
      log.warn({ err: error, instance: id }, `could not say goodbye to discovery: ${id} expires by itself`);
    }
  }

  #schedule(): void {
    if (this.#closing) return;
    const pauseMs = this.options.everyMs * (1 - JITTER * Math.random());
    this.#timer = setTimeout(() => void this.beat().then(() => this.#schedule()), pauseMs);
    this.#timer.unref(); // A heartbeat proves life; it must not be the reason for it.
  }

  async #beat(): Promise<void> {
    if (this.#closing) return;
    try {
      await this.#write();
      this.#report(undefined);
    } catch (error) {
      this.#report(error);
    }
  }

  async #write(): Promise<void> {
    const { metrics } = this.options;
    const seen = { instance: this.#instance, revision: this.#revision };
    const begun = performance.now();
    const written = (await this.#renew(seen)) || (await this.#writeWhole(seen));
    metrics.timing("discovery.beat", performance.now() - begun);
    metrics.count("discovery.beats", 1, { outcome: written ? "ok" : "refused" });
    if (!written) this.#refused();
  }

  /** @returns false: it must be written in full (H1). */
  async #renew({ instance: { service, id }, revision }: Seen): Promise<boolean> {
    if (this.#stands !== revision || this.#renewed + 1 >= WHOLE_EVERY) return false;
    this.#renewed += 1;
    const { cluster, ttlMs } = this.options;
    const keys = [discoveryKeys.instance(cluster, service, id), discoveryKeys.index(cluster, service)];
    return (await renew.run(this.redis, keys, [ttlMs, id, revision])) === 1;
  }

  /** @returns false: it is refused. */
  async #writeWhole(seen: Seen): Promise<boolean> {
    const { cluster, ttlMs, everyMs } = this.options;
    const { service, id } = seen.instance;
    const keys = [
      discoveryKeys.instance(cluster, service, id),
      discoveryKeys.index(cluster, service),
      discoveryKeys.services(cluster),
      discoveryKeys.grave(cluster, id),
      discoveryKeys.since(cluster),
      discoveryKeys.generation(cluster, service),
      discoveryKeys.news(cluster, service),
    ];
    const announcement = announce({ kind: "put", ...seen, ttlMs });
    const stayMs = ttlMs + 2 * WHOLE_EVERY * everyMs;
    const args = [
      ttlMs,
      service,
      id,
      seen.revision,
      discoveryKeys.channel(cluster),
      announcement,
      stayMs,
      ...toHash(seen),
    ];
    const written = (await beat.run(this.redis, keys, args)) === 1;
    this.#stands = written ? seen.revision : 0;
    this.#renewed = 0;
    return written;
  }

  /** Somebody certified our death. We live, but nobody will call us again: an operator must know. */
  #refused(): void {
    this.#closing ??= Promise.resolve();
    clearTimeout(this.#timer);
    const { id, pid, host } = this.#instance;
    this.options.log.error(`discovery refuses ${id}: somebody declared process ${pid} on ${host} dead. Restart it.`);
  }

  /** Says once that Redis went away, and once that it is back. */
  #report(error: unknown): void {
    if (error !== undefined) this.options.metrics.count("discovery.beats", 1, { outcome: "failed" });
    const failing = error !== undefined;
    if (failing === this.#failing) return;
    this.#failing = failing;
    const { id } = this.#instance;
    if (failing) this.options.log.warn({ err: error }, `heartbeats of ${id} do not reach Redis; it goes on trying`);
    else this.options.log.info(`heartbeats of ${id} reach Redis again`);
  }
}

/** left: it said so itself. died: its process manager saw its end. */
export type Departure = "left" | "died";

/** Why an instance is not listed any more; undefined: nobody said anything, it expired. Known for GRAVE_MS. */
export async function departureOf(redis: Redis, cluster: string, id: string): Promise<Departure | undefined> {
  const why = await redis.get(discoveryKeys.grave(cluster, id));
  return why === "left" || why === "died" ? why : undefined;
}

/** Removes one instance and tells everyone. @returns whether it was registered. */
export async function leaveNow(
  redis: Redis,
  cluster: string,
  service: string,
  id: Instance["id"],
  why: Departure,
): Promise<boolean> {
  const keys = [
    discoveryKeys.instance(cluster, service, id),
    discoveryKeys.index(cluster, service),
    discoveryKeys.grave(cluster, id),
    discoveryKeys.generation(cluster, service),
    discoveryKeys.news(cluster, service),
  ];
  const announcement = announce({ kind: "gone", service, id, why });
  return (await leave.run(redis, keys, [id, discoveryKeys.channel(cluster), announcement, GRAVE_MS, why])) === 1;
}
