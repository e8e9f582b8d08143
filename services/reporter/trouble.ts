// Trouble: why Redis does not take shares, said once when it begins and once when it is over. Pure.

import { messageOf } from "../../lib/thrown.js";
import type { Log, Metrics } from "../../lib/wiring/index.js";
import { WiringError } from "../../lib/wiring/index.js";

/** away: unreachable, loading, no master. slow: no answer in time. full: maxmemory. refused: anything else, such as a wrong key. */
export type Why = "away" | "slow" | "full" | "refused";

const SLOW = "has not answered within";

function whyOf(text: string): Why {
  if (text.includes(SLOW)) return "slow";
  if (/\bOOM\b/.test(text)) return "full";
  return text.startsWith("[UNAVAILABLE]") ? "away" : "refused";
}

const HINT: Readonly<Record<Why, string>> = {
  away: "",
  slow: "",
  full: ". Give it more memory (maxmemory), or shorten the log (reporter.logLength)",
  refused: "",
};

export class Trouble {
  #text: string | undefined;

  constructor(
    private readonly log: Log,
    private readonly metrics: Metrics,
  ) {}

  /** Undefined: there is none. */
  get text(): string | undefined {
    return this.#text;
  }

  /** Logged and counted when it is of another kind than the last one. */
  report(error: unknown): void {
    const text = messageOf(error);
    const why = whyOf(text);
    if (this.#text !== undefined && whyOf(this.#text) === why) return;
    this.#text = text;
    this.metrics.count("reporter.outages", 1, { why });
    this.log.error({ err: error, why }, `shares go to the spool: ${text}${HINT[why]}`);
  }

  over(afterMs: number): void {
    const seconds = Math.round(afterMs / 100) / 10;
    if (this.#text !== undefined) this.log.info({ seconds }, "Redis takes shares again; the spool is empty");
    this.#text = undefined;
  }
}

/** @throws {WiringError} UNAVAILABLE when it takes longer; what was begun goes on. */
export async function within<T>(patienceMs: number, doing: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    const why = `Redis for shares ${SLOW} ${patienceMs} ms (reporter.spool.patienceMs)`;
    timer = setTimeout(() => reject(new WiringError("UNAVAILABLE", why)), patienceMs);
  });
  try {
    return await Promise.race([doing, late]);
  } finally {
    clearTimeout(timer);
  }
}
