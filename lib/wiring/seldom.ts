// Seldom: lets one of many alike log lines through at a time, and says how many were kept back.

export class Seldom {
  #nextAtMs = Number.NEGATIVE_INFINITY;
  #kept = 0;

  constructor(
    private readonly everyMs: number,
    private readonly nowMs: () => number = () => performance.now(),
  ) {}

  /** How many were kept back since the last one that passed; undefined: keep this one back, too. */
  pass(): number | undefined {
    const nowMs = this.nowMs();
    if (nowMs < this.#nextAtMs) {
      this.#kept++;
      return undefined;
    }
    this.#nextAtMs = nowMs + this.everyMs;
    const kept = this.#kept;
    this.#kept = 0;
    return kept;
  }
}
