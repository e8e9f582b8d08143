// In: the reporter's contract, answered.
//
//   stratum --recordShares--> Batcher --> Recording --> Redis, or the spool --> outcomes
//
//   P1. A share is answered only when it stands in Redis or on disk (recording.ts C1).
//   P2. A caller that gave up while its shares waited costs Redis nothing.

import type { BlockRecord, Claim, ReporterContract, Share, ShareOutcome } from "../../lib/contracts/index.js";
import { type CallContext, type Implementation, type Log, type Metrics, WiringError } from "../../lib/wiring/index.js";
import { Batcher } from "./batch.js";
import type { Readings } from "./out-readings.js";
import type { ShareStore } from "./out-redis.js";
import type { ShareTail } from "./out-tail.js";
import { type Backlog, type BlockOutcome, type BlockReport, type CreditedShare, claimOf } from "./ports.js";
import type { Recording } from "./recording.js";
import { isWritable } from "./writable.js";

export interface SharesOptions {
  readonly store: Pick<ShareStore, "reject" | "claimants">;
  readonly recording: Recording;
  readonly spool: Backlog | undefined;
  readonly spoolBytesMax: number;
  readonly readings: Readings;
  readonly tail: ShareTail;
  readonly metrics: Metrics;
  readonly log: Log;
}

export function answerShares(options: SharesOptions): Implementation<ReporterContract> {
  const { store, recording, spool, readings, tail, metrics } = options;
  const batcher = new Batcher<CreditedShare, ShareOutcome>((shares) => recordBatch(options, shares));

  const counted = async <T>(method: string, doing: Promise<T>): Promise<T> => {
    try {
      return await doing;
    } catch (error) {
      metrics.count("reporter.failures", 1, { method });
      throw error;
    }
  };

  return {
    async recordShares({ shares, hashesPerDifficulty }, context) {
      refuseIfGone(context);
      const credited = shares.map((share) => ({ share, hashes: share.difficulty * hashesPerDifficulty }));
      const outcomes = batcher.add(credited);
      metrics.gauge("reporter.queue", batcher.waiting);
      return { outcomes: await counted("recordShares", outcomes) };
    },
    async known({ claims }) {
      return { known: await counted("known", knownOf(options, claims)) };
    },
    async recordRejects({ rejects }) {
      for (const { reason, count } of rejects) metrics.count("reporter.rejects", count, { reason });
      if (rejects.length > 0) await counted("recordRejects", store.reject(rejects));
      return {};
    },
    async recordBlock(report) {
      const outcome = await counted("recordBlock", recording.block(report));
      return outcome?.round === undefined ? {} : { round: outcome.round };
    },
    status: () => ({
      recording: recording.mode === "direct" ? "redis" : "spool",
      ...(recording.trouble === undefined ? {} : { trouble: recording.trouble.slice(0, TROUBLE_MAX) }),
      ...(spool && {
        spool: {
          length: spool.length,
          bytes: spool.bytes,
          bytesMax: options.spoolBytesMax,
          ...(spool.oldestAt === undefined ? {} : { oldestAt: spool.oldestAt as Share["at"] }),
        },
      }),
    }),
    pool: async () => ({ ...(await counted("pool", readings.pool())), spooled: spool?.length ?? 0 }),
    async workers(request) {
      return { workers: await counted("workers", readings.workers(request)) };
    },
    async blocks({ limit }) {
      return { blocks: await counted("blocks", readings.blocks(limit)) };
    },
    shares: (request) => counted("shares", tail.shares(request)),
    roundWorkers: (request) => counted("roundWorkers", readings.roundWorkers(request)),
    async rounds({ limit }) {
      return { rounds: await counted("rounds", readings.rounds(limit)) };
    },
  };
}

/** As the contract says. */
const TROUBLE_MAX = 1_024;

/** P2. Before anything was done, so nothing was recorded. */
function refuseIfGone({ signal }: CallContext): void {
  if (signal.aborted) throw new WiringError("EXPIRED", "the caller gave up before its shares were looked at");
}

async function recordBatch(
  { recording, metrics, log }: SharesOptions,
  credited: readonly CreditedShare[],
): Promise<ShareOutcome[]> {
  const begun = performance.now();
  const writable = credited.filter(isWritable);
  const recorded = writable.length > 0 ? await recording.shares(writable) : [];
  const outcomes = writable.length === credited.length ? recorded : refuseOthers(log, credited, recorded);
  metrics.timing("reporter.batch", performance.now() - begun);
  if (log.isLevelEnabled("debug")) trace(log, credited, outcomes);
  const tally = new Map<ShareOutcome, number>();
  for (const outcome of outcomes) tally.set(outcome, (tally.get(outcome) ?? 0) + 1);
  for (const [outcome, count] of tally) metrics.count("reporter.shares", count, { outcome });
  return outcomes;
}

/** One that cannot be written is refused alone; its record is in the log. */
function refuseOthers(log: Log, credited: readonly CreditedShare[], recorded: readonly ShareOutcome[]): ShareOutcome[] {
  let next = 0;
  return credited.map((it) => {
    const outcome = isWritable(it) ? recorded[next++] : undefined;
    if (outcome) return outcome;
    const { connection, line, worker, difficulty } = it.share;
    log.error(
      { connection, line, worker, difficulty },
      "a share is refused: its texts or numbers are too long to be kept",
    );
    return "refused";
  });
}

/** The end of a share's way through the logs. */
function trace(log: Log, credited: readonly CreditedShare[], outcomes: readonly ShareOutcome[]): void {
  credited.forEach(({ share: { identity, connection, line, job, worker } }, i) => {
    const share = Buffer.from(identity).toString("hex");
    log.debug({ connection, line, job, share, worker }, `share in the log: ${outcomes[i]}`);
  });
}

/** What waits in the spool is known without Redis. */
async function knownOf({ store, spool }: SharesOptions, claims: readonly Claim[]): Promise<boolean[]> {
  const here = claims.map((it) => spool?.claimOf(it.identity) === claimOf(it));
  const asked = claims.filter((_, i) => !here[i]);
  const claimants = asked.length > 0 ? await store.claimants(asked) : [];
  const there = new Set(asked.filter((it, i) => claimants[i] === claimOf(it)));
  return claims.map((it, i) => here[i] === true || there.has(it));
}

/** What live viewers are told of a block. Undefined: old news. */
export function toldOf(report: BlockReport, { changed, round }: BlockOutcome): BlockRecord | undefined {
  if (!changed) return undefined;
  return round === undefined ? report : { ...report, round };
}
