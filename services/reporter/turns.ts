// Turns: numbers what this process gives to Redis, and gives it again what it came back without (C4 of recording.ts). Pure.
//
//   next() -> { after 57, number 58 } --> Redis, if it has 57          restore(): lastTurn() -> 56 -> 57 again, as 59 after 56

import type { Log, Metrics } from "../../lib/wiring/index.js";
import type { Ledger, SpoolRecord, Turn } from "./ports.js";
import { Recent } from "./recent.js";

export interface TurnsOptions {
  readonly ledger: Ledger;
  readonly log: Log;
  readonly metrics: Metrics;
}

export class Turns {
  readonly #recent = new Recent();
  /** The last number that was given out, and the one that the next call follows: the same but after a restore. */
  #last = 0;
  #after = 0;

  constructor(private readonly options: TurnsOptions) {}

  next(): Turn {
    const after = this.#after;
    this.#last += 1;
    this.#after = this.#last;
    return { after, number: this.#last };
  }

  /** Redis has this since that turn. Undefined: it had none. */
  stands(record: SpoolRecord, turn: Turn | undefined): void {
    if (turn) this.#recent.add(record, turn.number, performance.now());
  }

  /** `connection|line` of whoever brought this identity in the last seconds. */
  claimOf(identity: Uint8Array): string | undefined {
    return this.#recent.claimOf(identity);
  }

  /** @throws {Error} Redis'; what it still lacks is given again by the next restore. */
  async restore(): Promise<void> {
    const { ledger, log, metrics } = this.options;
    const restored = { shares: 0, blocks: 0 };
    try {
      this.#after = await ledger.lastTurn();
      for (const { record, stands } of this.#recent.missing(this.#after, performance.now())) {
        const turn = this.next();
        if (record.kind === "block") {
          const { changed } = await ledger.block(record.block, turn);
          if (changed) restored.blocks += 1;
        } else {
          const outcomes = await ledger.record(record.shares, turn);
          restored.shares += outcomes.filter((outcome) => outcome === "recorded").length;
        }
        stands(turn.number);
      }
    } finally {
      if (restored.shares > 0) metrics.count("reporter.restored", restored.shares);
      if (restored.shares + restored.blocks > 0)
        log.warn(restored, "Redis came back without shares or blocks that it had taken; it has them again");
    }
  }
}
