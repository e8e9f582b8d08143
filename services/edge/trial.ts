// trial: a connection whose line (or state) breaks whoever reads it must not be handed on for ever, and nobody else must pay for it. Pure.
//
//   a backend died with the connection's oldest line sent and not acknowledged, or threw on a batch that held it: a strike
//   1 strike -> to a backend again     2 strikes -> on trial: half of the suspects go, the others wait
//   the trial's backend lives on -> acquitted, the next half     it fails -> half of that half ...     it fails on a single one -> guilty
//
// A backend that fails strikes everybody who waited for an answer of it, so strikes prove little. Halving finds the one among n in
// about log2(n) failures, and acquits the others at once.
//
//   T1. A connection is guilty only when a backend failed with it as the only suspect on trial, after at least two other failures: of n
//       suspects the guilty one kills at most 3 + log2(n) backends.
//   T2. A line that was acknowledged, or whose backend lived on for TRIAL_MS after taking it, is acquitted: no strikes. After an
//       exception it is acquitted when its batch was taken.
//   T3. Whoever waits for a trial waits at most TRIAL_MS for each half before it, mostly far less: acknowledgements end a trial.
//   T4. An exception proves nothing while no line at all is taken (the backend's database may be away): then nobody is guilty, all are
//       tried again after a pause that doubles up to PAUSE_MAX_MS, and the first line that is taken ends the suspicion against crowds.

import type { Connection } from "./connection.js";

/** Two could be bad luck: an operator who restarts everything, a machine that runs out of memory. */
const STRIKES_FREE = 1;
/** What kills a process on reading does so within this. */
export const TRIAL_MS = 200;
/** T4. Between a trial that threw and the next one. */
const PAUSE_FIRST_MS = 50;
const PAUSE_MAX_MS = 1_000;

export class Trials {
  /** Suspects whose turn has not come. */
  #waiting = new Set<Connection>();
  /** Suspects that are with a backend, or on their way to one. */
  #tried = new Set<Connection>();
  /** How many are tried at once. */
  #half = Number.POSITIVE_INFINITY;
  #takenAtMs: number | undefined;
  /** T2. What a backend that lives must live on for. */
  #acquitMs = TRIAL_MS;
  /** T4. Lines that backends have taken since the process started. */
  #linesTaken = 0;
  #pauseMs = PAUSE_FIRST_MS;
  #nextAtMs = 0;
  /** T4. A single suspect was tried, and nothing was proven. */
  #unproven = false;

  /** A backend died; these were its connections. Returns the guilty one, if it is known by now. */
  died(leaving: readonly Connection[]): Connection | undefined {
    const struck = leaving.filter(({ lines, sent, taken }) =>
      lines[0] ? lines[0].number <= sent : sent >= 0 && taken < 0,
    );
    this.#acquitMs = TRIAL_MS;
    return this.#strike(struck, () => true);
  }

  /** A backend threw on a batch of these connections. Returns the guilty one, if it is known by now. */
  threw(struck: readonly Connection[], nowMs: number): Connection | undefined {
    this.#acquitMs = 0;
    this.#nextAtMs = nowMs + this.#pauseMs;
    const guilty = this.#strike(struck, ({ struckAt }) => this.#linesTaken > struckAt);
    if (this.#unproven) this.#pauseMs = Math.min(this.#pauseMs * 2, PAUSE_MAX_MS);
    return guilty;
  }

  /** A backend took a batch with so many lines. */
  took(lines: number): void {
    if (lines === 0) return;
    this.#linesTaken += lines;
    this.#pauseMs = PAUSE_FIRST_MS;
    if (!this.#unproven) return;
    this.#unproven = false;
    this.#half = Number.POSITIVE_INFINITY; // T4: it was no line of theirs.
  }

  /** Whether the connection may go to a backend now. If not, `next` names it when it may. */
  admits(connection: Connection): boolean {
    if (connection.strikes <= STRIKES_FREE || this.#tried.has(connection)) return true;
    this.#waiting.add(connection);
    return false;
  }

  /** Lines of it were acknowledged, or it is closed. */
  settled(connection: Connection): void {
    if (connection.closed) this.#waiting.delete(connection);
    if (connection.closed || connection.strikes <= STRIKES_FREE) this.#tried.delete(connection);
  }

  /** Who may go now: nobody before the last trial has ended. Time acquits, too (T2), so it is to be called often. */
  next(nowMs: number): readonly Connection[] {
    if (this.#tried.size > 0) this.#acquit(nowMs);
    if (this.#tried.size > 0 || this.#waiting.size === 0 || nowMs < this.#nextAtMs) return [];
    const most = Math.min(this.#half, Math.ceil(this.#waiting.size / 2));
    const half = [...this.#waiting].slice(0, most);
    for (const connection of half) this.#waiting.delete(connection);
    if (this.#waiting.size === 0) this.#half = Number.POSITIVE_INFINITY;
    this.#tried = new Set(half);
    this.#takenAtMs = undefined;
    return half;
  }

  #strike(struck: readonly Connection[], proves: (connection: Connection) => boolean): Connection | undefined {
    const suspects = struck.filter((connection) => this.#tried.has(connection));
    const [only] = suspects;
    const single = this.#tried.size === 1 && only !== undefined;
    const guilty = single && proves(only) ? only : undefined; // T1
    for (const connection of struck) {
      connection.strikes++;
      connection.struckAt = this.#linesTaken;
    }
    if (!only) return undefined; // Others' backend: the trial goes on.
    for (const connection of suspects) this.#tried.delete(connection);
    this.#takenAtMs = undefined;
    this.#half = Math.ceil(suspects.length / 2);
    this.#unproven = single && !guilty;
    if (guilty) return guilty;
    // The halves of this half come first; one against which nothing is proven lets the others go first (T4).
    this.#waiting = new Set(single ? [...this.#waiting, ...suspects] : [...suspects, ...this.#waiting]);
    return undefined;
  }

  #acquit(nowMs: number): void {
    for (const { lines, taken } of this.#tried) if ((lines[0]?.number ?? 0) > taken) return;
    this.#takenAtMs ??= nowMs;
    if (nowMs - this.#takenAtMs < this.#acquitMs) return;
    for (const connection of this.#tried) connection.strikes = 0;
    this.#tried.clear();
  }
}
