// In: asks everybody how they are, by the contracts that they offer to all.
//
//   jobmanager, stratum, edge, reporter, haproxy --status--\
//   Redis --PING-------------------------------------------->  Readings --> picture.ts
//   process manager --processes----------------------------/
//
//   Q1. Whoever does not answer within ASK_MS is shown as not answering; nobody waits longer for one than for all.
//   Q2. Looks that overlap are one look, and a look younger than FRESH_MS is not repeated: any number of readers cost the same.

import { hostname } from "node:os";
import {
  type BlockRecord,
  dashboard,
  edge,
  haproxy,
  type Job,
  jobmanager,
  type ReporterContract,
  reporter,
  stratum,
} from "../../lib/contracts/index.js";
import { messageOf } from "../../lib/thrown.js";
import {
  type Client,
  type Contract,
  departureOf,
  type House,
  type Instance,
  type ReplyOf,
  redisFailure,
  WiringError,
} from "../../lib/wiring/index.js";
import { Missing } from "./missing.js";
import type { Asked, Managed, Readings, RedisReading } from "./picture.js";
import type { Operator } from "./ports.js";

const ASK_MS = 1_000;
const FRESH_MS = 500;
const BLOCKS_SHOWN = 20;
/** How many processes there should be changes seldom, and takes a question a watcher. */
const EXPECTED_FRESH_MS = 5_000;

export interface Look {
  readonly readings: Readings;
  /** Undefined: no reporter has answered yet. */
  readonly pool: ReplyOf<ReporterContract, "pool"> | undefined;
  readonly blocks: readonly BlockRecord[] | undefined;
  /** Pool or blocks are of an earlier look. */
  readonly stale: boolean;
  readonly job: Pick<Job, "id" | "height" | "templateAt"> | undefined;
}

export interface ServicesOptions {
  readonly house: House;
  readonly operator: Operator | undefined;
  /** vanished: it left discovery without saying so. */
  onInstance(instance: Instance, what: "joined" | "left" | "vanished"): void;
  onLook(tookMs: number): void;
}

export class Services {
  readonly clients;
  readonly #options: ServicesOptions;
  readonly #known = new Map<string, Instance>();
  readonly #missing = new Missing(Date.now);
  #expected: { readonly counts: ReadonlyMap<string, number>; readonly atMs: number } | undefined;
  readonly #unwatch: (() => void)[] = [];
  #last: { readonly look: Look; readonly atMs: number } | undefined;
  #looking: Promise<Look> | undefined;

  constructor(options: ServicesOptions) {
    this.#options = options;
    const { nexus } = options.house;
    this.clients = {
      jobmanager: nexus.client(jobmanager),
      stratum: nexus.client(stratum),
      edge: nexus.client(edge),
      reporter: nexus.client(reporter),
      haproxy: nexus.client(haproxy),
      dashboard: nexus.client(dashboard),
    };
    for (const client of Object.values(this.clients)) this.#watch(client);
  }

  /** Of every service that is watched, oldest first within a service. */
  instances(): readonly Instance[] {
    return Object.values(this.clients).flatMap((client) => client.instances());
  }

  /** Of every stratum instance, the ones with the latest shares first; instances that do not answer are left out. */
  async connections({ match, by, limit }: { match?: string | undefined; by?: "worker"; limit: number }) {
    const client = this.clients.stratum;
    const request = { ...(match !== undefined && { match, ...(by && { by }) }), limit, after: 0 };
    const pages = await Promise.all(
      client.instances().map(async ({ id, state }) => {
        if (state !== "ready") return { miners: [] };
        try {
          const { miners, next } = await client.call("miners", request, { to: id, timeoutMs: ASK_MS });
          return { miners: miners.map((it) => ({ ...it, stratum: id })), next };
        } catch (error) {
          if (!(error instanceof WiringError)) throw error;
          return { miners: [], next: 0 };
        }
      }),
    );
    const all = pages.flatMap(({ miners }) => miners).sort((a, b) => (b.lastShareAt ?? 0) - (a.lastShareAt ?? 0));
    const whole = all.length <= limit && pages.every(({ next }) => next === undefined);
    return { connections: all.slice(0, limit), whole };
  }

  /** Q2 */
  async look(): Promise<Look> {
    if (this.#last && performance.now() - this.#last.atMs < FRESH_MS) return this.#last.look;
    this.#looking ??= this.#look().finally(() => {
      this.#looking = undefined;
    });
    return this.#looking;
  }

  async close(): Promise<void> {
    for (const stop of this.#unwatch) stop();
    for (const client of Object.values(this.clients)) await client.close();
  }

  async #look(): Promise<Look> {
    const begunMs = performance.now();
    const { clients } = this;
    const [jobmanagers, stratums, edges, reporters, haproxies, redis, managed, figures] = await Promise.all([
      ask(clients.jobmanager),
      ask(clients.stratum),
      ask(clients.edge),
      ask(clients.reporter),
      ask(clients.haproxy),
      pingAll(this.#options.house),
      this.#processes(),
      this.#figures(),
    ]);
    const missing = this.#missing.list();
    const readings = { jobmanagers, stratums, edges, reporters, haproxies, redis, missing, ...managed };
    const look = {
      readings: { ...readings, now: Date.now(), host: hostname() },
      ...figures,
      job: newestJob(jobmanagers),
    };
    this.#last = { look, atMs: performance.now() };
    this.#options.onLook(performance.now() - begunMs);
    return look;
  }

  async #processes(): Promise<Managed> {
    const { operator } = this.#options;
    const none = { processes: undefined, expected: new Map<string, number>() };
    if (!operator) return { ...none, manager: "this dashboard was opened without a process manager" };
    try {
      const [processes, expected] = await Promise.all([operator.processes(), this.#expectedBy(operator)]);
      return { processes, expected };
    } catch (error) {
      return { ...none, manager: messageOf(error) };
    }
  }

  async #expectedBy(operator: Operator): Promise<ReadonlyMap<string, number>> {
    const now = performance.now();
    if (!this.#expected || now - this.#expected.atMs > EXPECTED_FRESH_MS)
      this.#expected = { counts: await operator.expected(), atMs: now };
    return this.#expected.counts;
  }

  async #figures(): Promise<Pick<Look, "pool" | "blocks" | "stale">> {
    const client = this.clients.reporter;
    const options = { timeoutMs: ASK_MS };
    try {
      const asked = [
        client.call("pool", {}, options),
        client.call("blocks", { limit: BLOCKS_SHOWN }, options),
      ] as const;
      const [pool, { blocks }] = await Promise.all(asked);
      return { pool, blocks, stale: false };
    } catch (error) {
      if (!(error instanceof WiringError)) throw error;
      return { pool: this.#last?.look.pool, blocks: this.#last?.look.blocks, stale: true };
    }
  }

  #watch(client: Pick<Client<Contract>, "watch">): void {
    let first = true;
    let mine = new Set<string>();
    const stop = client.watch((instances) => {
      const now = new Set(instances.map(({ id }) => id as string));
      for (const it of instances) {
        if (!mine.has(it.id) && !first) {
          this.#missing.joined(it);
          this.#options.onInstance(it, "joined");
        }
        this.#known.set(it.id, it);
      }
      for (const id of mine) {
        const gone = this.#known.get(id);
        if (now.has(id) || !gone) continue;
        this.#known.delete(id);
        void this.#gone(gone);
      }
      mine = now;
      first = false;
    });
    this.#unwatch.push(stop);
  }

  /** Never rejects. An instance that says that it leaves is not missed. */
  async #gone(instance: Instance): Promise<void> {
    const { redis, cluster } = this.#options.house;
    const why = await departureOf(redis.discovery, cluster, instance.id).catch(() => undefined);
    const left = why === "left" || (why === undefined && instance.state === "draining");
    // Meanwhile another one may have joined: it takes the place of one that is missing already.
    const isReplaced = [...this.#known.values()].some(
      (it) => it.service === instance.service && it.host === instance.host && it.startedAt > instance.startedAt,
    );
    if (!left && !(why === "died" && isReplaced)) this.#missing.add(instance);
    this.#options.onInstance(instance, left ? "left" : "vanished");
  }
}

/** Q1. What calls itself draining answers nobody, and need not. */
async function ask<C extends Contract>(client: Client<C>): Promise<Asked<C>[]> {
  return Promise.all(
    client.instances().map(async (instance) => {
      if (instance.state !== "ready") return { instance };
      try {
        const options = { to: instance.id, timeoutMs: ASK_MS };
        return { instance, status: (await client.call("status", {} as never, options)) as Asked<C>["status"] & object };
      } catch (error) {
        if (!(error instanceof WiringError)) throw error;
        return { instance, error: error.message };
      }
    }),
  );
}

/** Roles that share a connection are one Redis. */
async function pingAll({ redis }: House): Promise<RedisReading[]> {
  const roles = Object.entries(redis);
  const connections = [...new Set(roles.map(([, connection]) => connection))];
  return Promise.all(
    connections.map(async (connection) => {
      const its = roles.filter(([, other]) => other === connection).map(([role]) => role);
      const common = { roles: its };
      const begunMs = performance.now();
      try {
        await connection.ping();
        return { ...common, pingMs: performance.now() - begunMs };
      } catch (error) {
        return { ...common, error: redisFailure(error) };
      }
    }),
  );
}

function newestJob(jobmanagers: Readings["jobmanagers"]): Look["job"] {
  const jobs = jobmanagers.flatMap(({ status }) => (status?.job ? [status.job] : []));
  return jobs.sort((a, b) => b.height - a.height || b.templateAt - a.templateAt)[0];
}
