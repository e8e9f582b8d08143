// Readings: what the reporter knows, read from Redis and put into the contract's words.
//
// Reads are pipelines of plain commands: each number is right by itself, and nothing is decided on two of them together.

import { z } from "zod";
import {
  type BlockRecord,
  blockRecord,
  type ReporterContract,
  ROUND_WORKERS_MAX,
  type Round,
  type RoundWorkers,
  round as roundSchema,
  roundWorkers as roundWorkersSchema,
  type WorkerStats,
  workerStats,
} from "../../lib/contracts/index.js";
import type { ReplyOf } from "../../lib/wiring/index.js";
import { type ShareKeys, shareKeys } from "./keys.js";
import { available, type SharesRedis } from "./out-redis.js";
import { type BucketSize, bucketStarts, COARSE, FINE, hashrates } from "./window.js";

/** Worker names looked at in one go while searching. */
const PAGE = 1_000;
/** Names looked at in all for one search: some tenths of a second of reading. */
const SEARCH_MAX = 200_000;
const ACTIVE_MS = 60 * 60_000;

type Fields = Record<string, string>;

export class Readings {
  readonly #keys: ShareKeys;

  /** @param nowMs Wall clock, the one that shares are stamped by. */
  constructor(
    private readonly redis: SharesRedis,
    cluster: string,
    private readonly nowMs: () => number = Date.now,
  ) {
    this.#keys = shareKeys(cluster);
  }

  async pool(): Promise<Omit<ReplyOf<ReporterContract, "pool">, "spooled">> {
    const now = this.nowMs();
    const [totals, logLength, added, active, round, rates] = await available(
      "read the pool's figures",
      Promise.all([
        this.redis.hgetall(this.#keys.totals),
        this.redis.xlen(this.#keys.log),
        this.#added(),
        this.redis.zcount(this.#keys.workers, now - ACTIVE_MS, "+inf"),
        this.redis.get(this.#keys.round),
        this.#rates([""], now),
      ]),
    );
    const rejected: Record<string, number> = {};
    for (const [field, count] of Object.entries(totals)) {
      if (field.startsWith("rejected:")) rejected[field.slice("rejected:".length)] = Number(count);
    }
    const accepted = Number(totals.accepted ?? 0);
    return {
      ...(rates[0] ?? NO_RATES),
      accepted,
      rejected,
      recorded: added ?? accepted,
      logLength,
      workersActive: active,
      blocks: Number(totals.blocks ?? 0),
      round: Number(round ?? 1),
    };
  }

  /** Those with the latest shares first. */
  async workers({ match, limit }: { match?: string | undefined; limit: number }): Promise<WorkerStats[]> {
    return available("read workers", this.#workers(match?.toLowerCase(), limit));
  }

  /** Newest first. */
  async blocks(limit: number): Promise<BlockRecord[]> {
    return available("read blocks", this.#blocks(limit));
  }

  /** The open one first, then back in time, as far as they are kept. */
  async rounds(limit: number): Promise<Round[]> {
    return available("read rounds", this.#rounds(limit));
  }

  /** By credit, the most first. */
  async roundWorkers({ round, from, limit }: { round: number; from: number; limit: number }): Promise<RoundWorkers> {
    return available("read a round's workers", this.#roundWorkers(round, from, limit));
  }

  /** How many records the log has ever been given, as the stream itself counts them; Redis below 7 does not say. */
  async #added(): Promise<number | undefined> {
    if ((await this.redis.exists(this.#keys.log)) === 0) return undefined;
    const info = z.array(z.unknown()).parse(await this.redis.xinfo("STREAM", this.#keys.log));
    const added = info[info.indexOf("entries-added") + 1];
    return typeof added === "number" ? added : undefined;
  }

  async #workers(match: string | undefined, limit: number): Promise<WorkerStats[]> {
    const found = new Map<string, number>();
    for (let at = 0; at < SEARCH_MAX && found.size < limit; at += PAGE) {
      const page = await this.redis.zrevrange(this.#keys.workers, at, at + PAGE - 1, "WITHSCORES");
      for (let i = 0; i + 1 < page.length && found.size < limit; i += 2) {
        const name = page[i] ?? "";
        if (match === undefined || name.toLowerCase().includes(match)) found.set(name, Number(page[i + 1]));
      }
      if (page.length < 2 * PAGE) break;
    }
    const names = [...found.keys()];
    if (names.length === 0) return [];
    const [facts, rates] = await Promise.all([
      Promise.all(names.map((name) => this.redis.hgetall(this.#keys.worker(name)))),
      this.#rates(names, this.nowMs()),
    ]);
    return names.map((worker, i) =>
      workerStats.parse({
        worker,
        accepted: Number(facts[i]?.accepted ?? 0),
        rejected: Number(facts[i]?.rejected ?? 0),
        difficultySum: Number(facts[i]?.difficulty ?? 0),
        lastShareAt: found.get(worker),
        ...(rates[i] ?? NO_RATES),
      }),
    );
  }

  async #blocks(limit: number): Promise<BlockRecord[]> {
    const hashes = await this.redis.zrevrange(this.#keys.blocks, 0, limit - 1);
    const facts = await Promise.all(hashes.map((hash) => this.redis.hgetall(this.#keys.block(hash))));
    return hashes.map((hash, i) => blockOf(hash, facts[i] ?? {}));
  }

  async #rounds(limit: number): Promise<Round[]> {
    const open = Number((await this.redis.get(this.#keys.round)) ?? 1);
    const numbers = Array.from({ length: Math.min(limit, open) }, (_, back) => open - back);
    const rounds = await Promise.all(numbers.map((number) => this.#round(number)));
    return withPayers(rounds.filter((round) => round !== undefined));
  }

  async #round(number: number): Promise<Round | undefined> {
    const [facts, workers] = await Promise.all([
      this.redis.hgetall(this.#keys.roundOf(number)),
      this.#roundWorkers(number, 0, ROUND_WORKERS_MAX),
    ]);
    if (facts.openedAt === undefined) return undefined; // Forgotten, or no share yet.
    const status = facts.block === undefined ? null : await this.redis.hget(this.#keys.block(facts.block), "status");
    return roundOf(number, { ...facts, ...(status === null ? {} : { status }) }, workers);
  }

  async #roundWorkers(number: number, from: number, limit: number): Promise<RoundWorkers> {
    const name = this.#keys.roundWorkers(number);
    const [pairs, workerCount] = await Promise.all([
      this.redis.zrevrange(name, from, from + limit - 1, "WITHSCORES"),
      this.redis.zcard(name),
    ]);
    const workers = pairs.flatMap((worker, i) => (i % 2 === 0 ? [{ worker, difficulty: Number(pairs[i + 1]) }] : []));
    return roundWorkersSchema.parse({ workers, workerCount });
  }

  /** Hashrates of each name, in order; "" is all workers together. */
  async #rates(names: readonly string[], now: number): Promise<ReturnType<typeof hashrates>[]> {
    const [fine, coarse] = await Promise.all([this.#sums(FINE, names, now), this.#sums(COARSE, names, now)]);
    return names.map((_, i) => hashrates(fine[i] ?? NO_SUMS, coarse[i] ?? NO_SUMS, now));
  }

  /** For each name: hashes by bucket start. */
  async #sums(size: BucketSize, names: readonly string[], now: number): Promise<ReadonlyMap<number, number>[]> {
    const starts = bucketStarts(size, now);
    const rows = await Promise.all(
      starts.map((start) => this.redis.hmget(this.#keys.bucket(size.widthMs, start), ...names)),
    );
    return names.map((_, i) => new Map(starts.map((start, j) => [start, Number(rows[j]?.[i] ?? 0)])));
  }
}

const NO_SUMS: ReadonlyMap<number, number> = new Map();
const NO_RATES = { hashrate1m: 0, hashrate5m: 0, hashrate1h: 0 };

const count = z.coerce.number();

function blockOf(hash: string, { reason, round, ...facts }: Fields): BlockRecord {
  return blockRecord.parse({
    hash,
    height: count.parse(facts.height),
    worker: facts.worker,
    status: facts.status,
    confirmations: count.parse(facts.confirmations),
    foundAt: count.parse(facts.foundAt),
    ...(reason ? { reason } : {}),
    ...(round ? { round: count.parse(round) } : {}),
  });
}

/**
 * An orphaned block pays nobody, and its round stays closed: its shares are paid by the next block that stands in the chain. So a
 * payer goes from the newest round back, and pays with each paid round those that name it.
 */
function withPayers(newestFirst: readonly Round[]): Round[] {
  let payer: number | undefined;
  return newestFirst.map((round) => {
    if (round.status === "accepted" || round.status === "confirmed") payer = round.round;
    return round.status === "orphaned" && payer !== undefined ? { ...round, paidIn: payer } : round;
  });
}

function roundOf(number: number, facts: Fields, workers: RoundWorkers): Round {
  return roundSchema.parse({
    round: number,
    openedAt: Number(facts.openedAt),
    ...(facts.closedAt === undefined ? {} : { closedAt: Number(facts.closedAt) }),
    ...(facts.block === undefined ? {} : { block: facts.block, height: Number(facts.height) }),
    ...(facts.status === undefined ? {} : { status: facts.status }),
    shares: Number(facts.shares ?? 0),
    difficultySum: Number(facts.difficulty ?? 0),
    ...(facts.leftOut === undefined ? {} : { difficultyLeftOut: Number(facts.leftOut) }),
    ...workers,
  });
}
