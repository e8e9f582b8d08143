// Allowance: how many shares of a connection may be easier than the difficulty that it was told last.
//
// Shares that were begun before the difficulty rose are honest, and there are at most as many as a miner finds until it hears of it. A
// client that went on choosing the easiest work that was ever announced would earn no more (promise S4), but would send any number
// of shares, each of which costs a record: variable difficulty would be its to switch off.

/** Five seconds of a device that finds a thousand a second. */
export const EASIER_MAX = 5_000;
/** Enough for difficulties that rise again and again. */
export const EASIER_PER_SECOND = 20;

export class Allowance {
  #left = EASIER_MAX;
  #atMs = Number.NEGATIVE_INFINITY;

  /** Takes one, if there is one. @param nowMs Monotonic. */
  take(nowMs: number): boolean {
    this.#left = Math.min(EASIER_MAX, this.#left + ((nowMs - this.#atMs) * EASIER_PER_SECOND) / 1_000);
    this.#atMs = nowMs;
    if (this.#left < 1) return false;
    this.#left -= 1;
    return true;
  }
}
