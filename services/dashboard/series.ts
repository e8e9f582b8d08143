// Series: figures over time, in rings of buckets. Pure; out-series.ts keeps the rings in Redis.
//
//   a sample every few seconds --> the bucket of its moment, in every ring          (the last sample of a bucket counts)
//   ring -> columns for a plot: gauges as they are, counters as what they grew by, a minute
//
//   S1. A ring has a fixed number of slots, so it needs no clearing up: a bucket takes the slot of the one a whole span before it.
//   S2. A bucket that nobody sampled is null, never zero: a plot shows a gap where nobody looked.
//   S3. Several dashboards may write the same ring: what they write is the same.

import { z } from "zod";
import type { PoolView, Series } from "./model.js";

export interface Ring {
  readonly name: "1h" | "24h";
  readonly stepMs: number;
  readonly slots: number;
}

/** 360 and 480 points: about what a plot has pixels for. */
export const RINGS: readonly [Ring, Ring] = [
  { name: "1h", stepMs: 10_000, slots: 360 },
  { name: "24h", stepMs: 180_000, slots: 480 },
];

/** Counters as they stand (all time), gauges as they are. */
export const sample = z.object({
  at: z.number().int().nonnegative(),
  hashrate1m: z.number(),
  hashrate5m: z.number(),
  accepted: z.number(),
  rejected: z.number(),
  connections: z.number(),
  workers: z.number(),
});
export type Sample = z.output<typeof sample>;

/** Undefined: nothing is known, or only what was known before: a gap is honest (S2). */
export function sampleOf(pool: PoolView | undefined, at: number): Sample | undefined {
  if (!pool || pool.stale) return undefined;
  const { hashrate1m, hashrate5m, accepted, connections, workersActive } = pool;
  const rejected = Object.values(pool.rejected).reduce((sum, count) => sum + count, 0);
  return { at, hashrate1m, hashrate5m, accepted, rejected, connections, workers: workersActive };
}

export const bucketOf = ({ stepMs }: Ring, atMs: number): number => Math.floor(atMs / stepMs);
export const slotOf = (ring: Ring, atMs: number): number => bucketOf(ring, atMs) % ring.slots;

/** Columns of the whole ring as of now. Samples may come in any order, and be older than the span (S1). */
export function columns(ring: Ring, samples: readonly Sample[], nowMs: number): Series {
  const last = bucketOf(ring, nowMs);
  const byBucket = new Map(samples.map((it) => [bucketOf(ring, it.at), it]));
  const buckets = Array.from({ length: ring.slots }, (_, i) => last - ring.slots + 1 + i);
  const here = buckets.map((bucket) => byBucket.get(bucket));
  const gauge = (of: (it: Sample) => number) => here.map((it) => (it ? of(it) : null));
  const growth = (of: (it: Sample) => number) => here.map((it, i) => (it ? perMinute(here[i - 1], it, of) : null));
  return {
    stepMs: ring.stepMs,
    at: buckets.map((bucket) => bucket * ring.stepMs),
    hashrate: gauge((it) => (ring.name === "1h" ? it.hashrate1m : it.hashrate5m)),
    accepted: growth((it) => it.accepted),
    rejected: growth((it) => it.rejected),
    connections: gauge((it) => it.connections),
    workers: gauge((it) => it.workers),
  };
}

/** Undefined before: nobody looked, so nobody knows. A counter that went back began anew: its Redis is another one. */
function perMinute(before: Sample | undefined, now: Sample, of: (it: Sample) => number): number | null {
  if (!before || now.at <= before.at) return null;
  const grown = of(now) - of(before);
  return grown < 0 ? null : (grown * 60_000) / (now.at - before.at);
}
