// In: the reporter's contract, answered.
//
//   stratum --recordShares--> Batcher --> ShareStore.record --> outcomes, and the recorded ones to live viewers
//
//   P1. `recorded` is answered only after the script that wrote it has returned.
//   P2. A caller that gave up while its shares waited costs Redis nothing.

import type { BlockRecord, ReporterContract, Share, ShareOutcome } from "../../lib/contracts/index.js";
import { type CallContext, type Implementation, type Metrics, WiringError } from "../../lib/wiring/index.js";
import { Batcher } from "./batch.js";
import type { Readings } from "./out-readings.js";
import type { CreditedShare, ShareStore } from "./out-redis.js";

export interface SharesOptions {
  readonly store: ShareStore;
  readonly readings: Readings;
  readonly metrics: Metrics;
  /** Live viewers; called after the fact, never waits. */
  onRecorded(shares: Share[]): void;
  onBlock(block: BlockRecord): void;
}

export function answerShares(options: SharesOptions): Implementation<ReporterContract> {
  const { store, readings, metrics } = options;
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
    async recordRejects({ rejects }) {
      for (const { reason, count } of rejects) metrics.count("reporter.rejects", count, { reason });
      if (rejects.length > 0) await counted("recordRejects", store.reject(rejects));
      return {};
    },
    async recordBlock(report) {
      const { changed, round } = await counted("recordBlock", store.block(report));
      if (changed) {
        metrics.count("reporter.blocks", 1, { status: report.status });
        options.onBlock(round === undefined ? report : { ...report, round });
      }
      return round === undefined ? {} : { round };
    },
    pool: () => counted("pool", readings.pool()),
    async workers(request) {
      return { workers: await counted("workers", readings.workers(request)) };
    },
    async blocks({ limit }) {
      return { blocks: await counted("blocks", readings.blocks(limit)) };
    },
    async rounds({ limit }) {
      return { rounds: await counted("rounds", readings.rounds(limit)) };
    },
  };
}

/** P2. Before anything was done, so nothing was recorded. */
function refuseIfGone({ signal }: CallContext): void {
  if (signal.aborted) throw new WiringError("EXPIRED", "the caller gave up before its shares were looked at");
}

async function recordBatch(
  { store, metrics, onRecorded }: SharesOptions,
  credited: readonly CreditedShare[],
): Promise<ShareOutcome[]> {
  const begun = performance.now();
  const outcomes = await store.record(credited);
  metrics.timing("reporter.batch", performance.now() - begun);
  const tally = new Map<ShareOutcome, number>();
  for (const outcome of outcomes) tally.set(outcome, (tally.get(outcome) ?? 0) + 1);
  for (const [outcome, count] of tally) metrics.count("reporter.shares", count, { outcome });
  const recorded = credited.filter((_, i) => outcomes[i] === "recorded").map(({ share }) => share);
  if (recorded.length > 0) onRecorded(recorded);
  return outcomes;
}
