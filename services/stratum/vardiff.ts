// Variable difficulty: which one gives a connection about one share per `shareEveryMs`.
//
// Pure. It counts work, not shares: the sum of the difficulties that were credited. So shares made at an older difficulty
// need no special case, and the estimate is right from the first one.
//
//   hashrate = work / time          wanted difficulty = hashrate x shareEveryMs
//
//   V1. The difficulty changes only after a whole window, or early when a window's worth of shares x 3 came before its end.
//   V2. It changes only when it is off by more than `variance`, and by more than chance explains: the logarithm of a rate that n
//       shares tell has a standard error of about 1/sqrt(n), and twice that is not yet news.
//   V3. Silence is no proof of a slow device: a fast one that tunes itself says nothing for minutes and then, at a difficulty that
//       fell with each window, sends millions of shares a second. So the difficulty falls by FALL with each of the first QUICK_FALLS
//       windows without a share, and then only with every SLOW_EVERYth: what really is slow gets there within hours.
//   V4. A window without a share ends only when SILENCE_SHARES should have come: before that, silence is chance.

import type { Difficulty } from "../../lib/contracts/index.js";
import { type Limits, within } from "./limits.js";

export interface VardiffRules {
  readonly enabled: boolean;
  readonly shareEveryMs: number;
  readonly retargetMs: number;
  readonly variance: number;
}

/** What was counted since the window began. */
export interface Window {
  readonly sinceMs: number;
  readonly shares: number;
  readonly work: number;
  /** Windows without a share right before this one. */
  readonly silent: number;
}

/** V1: this many times the wanted shares before the window's end mean that the difficulty is far off. */
const EARLY_FACTOR = 3;
/** Fewer shares than this say too little (with 12, three of four estimates lie within 35 %). */
const EARLY_SHARES_MIN = 12;
/** V3. Together no more than a sixteenth. */
const FALL = 4;
const QUICK_FALLS = 2;
/** What another instance has to know of `silent`: that the quick falls are over. */
export const SILENT_MAX = QUICK_FALLS;
/** Of 90 s each: 24 minutes. */
const SLOW_EVERY = 16;
/** V4. One time in e^4, 55, it is chance all the same. */
const SILENCE_SHARES = 4;
/** V2, in standard errors. */
const SIGNIFICANT = 2;

export const openWindow = (nowMs: number, silent = 0): Window => ({ sinceMs: nowMs, shares: 0, work: 0, silent });

/** After one that was `due`. */
export const nextWindow = ({ shares, silent }: Window, nowMs: number): Window => ({
  ...openWindow(nowMs, shares === 0 ? silent + 1 : 0),
});

export const credit = (window: Window, difficulty: Difficulty): Window => ({
  ...window,
  shares: window.shares + 1,
  work: window.work + difficulty,
});

/** V1. Cheap: asked of every connection at every broadcast. */
export function due({ enabled, retargetMs, shareEveryMs }: VardiffRules, window: Window, nowMs: number): boolean {
  if (!enabled) return false;
  const lastsMs = window.shares === 0 ? Math.max(retargetMs, SILENCE_SHARES * shareEveryMs) : retargetMs; // V4
  if (nowMs - window.sinceMs >= lastsMs) return true;
  return window.shares >= Math.max(EARLY_SHARES_MIN, (EARLY_FACTOR * retargetMs) / shareEveryMs);
}

/** The difficulty for the next window, when this one is `due`; it may be the same. */
export function retarget(
  rules: VardiffRules,
  limits: Limits,
  current: Difficulty,
  window: Window,
  nowMs: number,
): Difficulty {
  if (window.shares === 0) return within(limits, round(fallen(current, window.silent + 1)));
  const elapsedMs = Math.max(1, nowMs - window.sinceMs);
  // Half a share more than counted: an empty window still bounds the speed from above.
  const work = window.work + current / 2;
  const wanted = (work / elapsedMs) * rules.shareEveryMs;
  const noise = SIGNIFICANT / Math.sqrt(window.shares + 1);
  const off = Math.abs(Math.log(wanted / current)) > Math.max(Math.log(1 + rules.variance), noise); // V2
  return off ? within(limits, round(wanted)) : within(limits, current);
}

/** V3 @param silent Windows without a share up to now. */
const fallen = (current: Difficulty, silent: number): number =>
  silent <= QUICK_FALLS || silent % SLOW_EVERY === 0 ? current / FALL : current;

/** Steps of 1/32 to 1/64 are fine enough; and connections of one difficulty are told a new job by one broadcast. */
function round(value: number): number {
  const unit = 2 ** (Math.floor(Math.log2(value)) - 5);
  return Math.round(value / unit) * unit;
}
