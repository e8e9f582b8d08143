// The schedule of a run: which faults, when, of what, for how long. Pure: the same seed and options draw the same schedule.
//
//   Seed -> a shuffled pack of all kinds, one after the other -> gaps -> now and then two at once

import { KINDS, type Kind } from "./kinds.js";
import type { Seed } from "./seed.js";

export interface Fault {
  /** From 1. */
  readonly number: number;
  readonly kind: Kind;
  /** Since the clients are at work. */
  readonly atMs: number;
  /** Which instance: taken modulo those that there are. */
  readonly target: number;
  /** 0: no duration. */
  readonly forMs: number;
}

export interface ScheduleOptions {
  readonly seconds: number;
  /** Names; default: all. */
  readonly kinds?: readonly string[] | undefined;
}

/** Quiet at the beginning, and time for the last fault to be felt. */
const LEAD_MS = 3_000;
export const TAIL_MS = 5_000;
/** Between two faults: about 80 in 300 s. */
const GAP_MS = [1_500, 5_500] as const;
/** The part of faults that come together with the one before. */
const TOGETHER = 0.15;
const TOGETHER_MS = 200;
/** No fault lasts longer than this part of the run, so that a short run sees more than one. */
const SHARE_MAX = 0.1;
const TARGETS = 1_000;

/** In the order of time. */
export function drawSchedule(seed: Seed, { seconds, kinds }: ScheduleOptions): Fault[] {
  const pack = KINDS.filter(({ name }) => kinds?.includes(name) ?? true);
  if (pack.length === 0) return [];
  const endMs = seconds * 1_000 - TAIL_MS;
  const faults: Fault[] = [];
  let left: Kind[] = [];
  for (let atMs = LEAD_MS; atMs < endMs; ) {
    const [kind, ...rest] = left.length > 0 ? left : seed.shuffled(pack);
    if (!kind) break;
    left = rest;
    faults.push({
      number: faults.length + 1,
      kind,
      atMs: Math.round(atMs),
      target: seed.int(0, TARGETS - 1),
      forMs: duration(seed, kind, seconds * 1_000 * SHARE_MAX),
    });
    atMs += seed.chance(TOGETHER) ? seed.int(0, TOGETHER_MS) : seed.int(...GAP_MS);
  }
  return faults;
}

function duration(seed: Seed, { forMs: [least, most] }: Kind, shareMs: number): number {
  const drawn = seed.int(least, most); // Drawn also when it is fixed: kinds may change without moving the rest.
  return Math.max(least, Math.min(drawn, Math.round(shareMs)));
}
