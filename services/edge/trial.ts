// trial: a line that kills whoever reads it must not be handed on for ever, and nobody else must pay for it. Pure.
//
//   a backend died with the connection's oldest line sent and not acknowledged: a strike against that line
//   1 strike -> to another backend     2 strikes -> on trial: half of the suspects go, the others wait
//   the trial's backend lives on -> acquitted, the next half     it dies -> half of that half ...     it dies of a single one -> guilty
//
// A backend that dies strikes everybody who waited for an answer of it, so strikes prove little. Halving finds the one among n in
// about log2(n) deaths, and acquits the others at once.
//
//   T1. A line is guilty only when a backend died with it as the only suspect there, after at least two others: of n suspects the
//       guilty one kills at most 3 + log2(n) backends.
//   T2. A line that was acknowledged, or whose backend lived on for TRIAL_MS after taking it, is acquitted: no strikes.
//   T3. Whoever waits for a trial waits at most TRIAL_MS for each half before it, mostly far less: acknowledgements end a trial.

import type { Connection } from "./connection.js";

/** Two could be bad luck: an operator who restarts everything, a machine that runs out of memory. */
const STRIKES_FREE = 1;
/** What kills a process on reading does so within this. */
export const TRIAL_MS = 200;

export class Trials {
  /** Suspects whose turn has not come. */
  #waiting = new Set<Connection>();
  /** Suspects that are with a backend, or on their way to one. */
  #tried = new Set<Connection>();
  /** How many are tried at once. */
  #half = Number.POSITIVE_INFINITY;
  #takenAtMs: number | undefined;

  /** A backend died; these were its connections. Returns the guilty one, if it is known by now. */
  died(leaving: readonly Connection[]): Connection | undefined {
    const struck = leaving.filter(({ lines, sent }) => lines[0] !== undefined && lines[0].number <= sent);
    for (const { lines } of struck) if (lines[0]) lines[0].strikes = (lines[0].strikes ?? 0) + 1;
    const suspects = struck.filter((connection) => this.#tried.has(connection));
    if (suspects.length === 0) return undefined; // Others' backend: the trial goes on.
    const guilty = this.#tried.size === 1 ? suspects[0] : undefined; // T1
    this.#half = Math.ceil(this.#tried.size / 2);
    this.#waiting = new Set([...this.#tried, ...this.#waiting]); // The halves of this half come first.
    this.#tried = new Set();
    this.#takenAtMs = undefined;
    return guilty;
  }

  /** Whether the connection may go to a backend now. If not, `next` names it when it may. */
  admits(connection: Connection): boolean {
    if ((connection.lines[0]?.strikes ?? 0) <= STRIKES_FREE || this.#tried.has(connection)) return true;
    this.#waiting.add(connection);
    return false;
  }

  /** Lines of it were acknowledged, or it is closed. */
  settled(connection: Connection): void {
    if (connection.closed) this.#waiting.delete(connection);
    if (connection.closed || (connection.lines[0]?.strikes ?? 0) <= STRIKES_FREE) this.#tried.delete(connection);
  }

  /** Who may go now: nobody before the last trial has ended. Time acquits, too (T2), so it is to be called often. */
  next(nowMs: number): readonly Connection[] {
    if (this.#tried.size > 0) this.#acquit(nowMs);
    if (this.#tried.size > 0 || this.#waiting.size === 0) return [];
    const most = Math.min(this.#half, Math.ceil(this.#waiting.size / 2));
    const half = [...this.#waiting].slice(0, most);
    for (const connection of half) this.#waiting.delete(connection);
    if (this.#waiting.size === 0) this.#half = Number.POSITIVE_INFINITY;
    this.#tried = new Set(half);
    this.#takenAtMs = undefined;
    return half;
  }

  #acquit(nowMs: number): void {
    for (const { lines, taken } of this.#tried) if (lines[0] && lines[0].number > taken) return;
    this.#takenAtMs ??= nowMs;
    if (nowMs - this.#takenAtMs < TRIAL_MS) return;
    for (const { lines } of this.#tried) if (lines[0]) lines[0].strikes = 0;
    this.#tried.clear();
  }
}
