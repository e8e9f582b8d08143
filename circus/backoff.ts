// When may a process that died start again? Pure: time and chance come in as arguments.
//
//   B1. A process that had lived `stableMs` starts again at once; one that died young waits baseMs * 2^n, at most capMs.
//   B2. Half of each wait is random, so that several processes that died together don't come back together.
//   B3. More than `retryMax` deaths within `windowMs` ends it: give up, loudly, instead of looping for ever. -1: never.

export interface BackoffOptions {
  /** Deaths allowed within the window; -1 for no limit. */
  readonly retryMax: number;
  readonly windowMs: number;
  /** First wait. 100 ms: a person does not notice it, a crash loop is slowed from the start. */
  readonly baseMs: number;
  /** Longest wait. 10 s: a daemon that comes back after minutes is met soon after. */
  readonly capMs: number;
  /** A life this long forgets earlier deaths when the wait is computed. */
  readonly stableMs: number;
}

export const BACKOFF = { baseMs: 100, capMs: 10_000, stableMs: 10_000 } as const;

export type Verdict =
  | { readonly kind: "again"; readonly delayMs: number }
  | { readonly kind: "give up"; readonly deaths: number; readonly windowMs: number };

export interface Backoff {
  /** Deaths within the window, oldest first, milliseconds. Never longer than retryMax + 1, or DEATHS_KEPT_MAX. */
  readonly deaths: readonly number[];
  /** Young deaths in a row. */
  readonly young: number;
}

export const FRESH: Backoff = { deaths: [], young: 0 };

/** Bounds the memory of a watcher without a limit that crashes for weeks. */
const DEATHS_KEPT_MAX = 1_000;

/** @param chance From 0 to 1, exclusive. */
export function afterDeath(
  before: Backoff,
  death: { readonly atMs: number; readonly livedMs: number },
  options: BackoffOptions,
  chance: number,
): { readonly backoff: Backoff; readonly verdict: Verdict } {
  const deaths = [...before.deaths.filter((at) => at > death.atMs - options.windowMs), death.atMs].slice(
    -DEATHS_KEPT_MAX,
  );
  const young = death.livedMs >= options.stableMs ? 0 : before.young + 1;
  const backoff = { deaths, young };
  if (options.retryMax >= 0 && deaths.length > options.retryMax) {
    return { backoff, verdict: { kind: "give up", deaths: deaths.length, windowMs: options.windowMs } };
  }
  return { backoff, verdict: { kind: "again", delayMs: waitMs(young, options, chance) } };
}

function waitMs(young: number, options: BackoffOptions, chance: number): number {
  if (young === 0) return 0;
  // 30 doublings are past any cap; more would leave the integers.
  const whole = Math.min(options.capMs, options.baseMs * 2 ** Math.min(young - 1, 30));
  return Math.round(whole / 2 + (whole / 2) * chance);
}
