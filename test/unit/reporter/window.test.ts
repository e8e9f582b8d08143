// Hashrate windows: what is in the window counts, by how much of it lies inside, and nothing else does.

import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import {
  type BucketSize,
  bucketStart,
  bucketStarts,
  COARSE,
  FINE,
  hashrate,
} from "../../../services/reporter/window.js";

const NOW = 1_700_000_000_000;
const size = fc.constantFrom(FINE, COARSE);
const moment = fc.integer({ min: NOW, max: NOW + 10_000_000 });

function fill(bucket: BucketSize, work: readonly (readonly [atMs: number, hashes: number])[]): Map<number, number> {
  const sums = new Map<number, number>();
  for (const [at, hashes] of work) {
    const start = bucketStart(bucket, at);
    sums.set(start, (sums.get(start) ?? 0) + hashes);
  }
  return sums;
}

describe("windows", () => {
  test("every moment of the span lies in a bucket that is read, and buckets are read once", () => {
    fc.assert(
      fc.property(size, moment, fc.double({ min: 0, max: 1, noNaN: true }), (bucket, now, part) => {
        const starts = bucketStarts(bucket, now);
        expect(new Set(starts).size).toBe(starts.length);
        expect(starts).toContain(bucketStart(bucket, now - Math.floor(bucket.spanMs * part)));
        expect(starts.length).toBeLessThanOrEqual(bucket.spanMs / bucket.widthMs + 1);
      }),
    );
  });

  test("a bucket that is read has not expired", () => {
    for (const { widthMs, spanMs, keepMs } of [FINE, COARSE]) expect(keepMs).toBeGreaterThan(spanMs + widthMs);
  });

  test("steady work shows as its true rate, wherever the window falls", () => {
    fc.assert(
      fc.property(size, moment, fc.integer({ min: 1, max: 1_000_000 }), (bucket, now, perSecond) => {
        const windowMs = bucket === FINE ? 60_000 : bucket.spanMs;
        const work: [number, number][] = [];
        for (let at = now - bucket.spanMs - bucket.widthMs; at <= now; at += 500) work.push([at, perSecond / 2]);
        const rate = hashrate(bucket, fill(bucket, work), now, windowMs);
        expect(Math.abs(rate - perSecond) / perSecond).toBeLessThan(0.02);
      }),
      { numRuns: 50 },
    );
  });

  test("no share counts more than whole, and none outside the window by more than a bucket counts at all", () => {
    const share = fc.tuple(fc.integer({ min: -8_000_000, max: 100_000 }), fc.integer({ min: 1, max: 1_000 }));
    fc.assert(
      fc.property(size, moment, fc.array(share, { maxLength: 30 }), (bucket, now, offsets) => {
        const work = offsets.map(([offset, hashes]) => [now + offset, hashes] as const);
        const windowMs = bucket.spanMs;
        const hashes = (hashrate(bucket, fill(bucket, work), now, windowMs) * windowMs) / 1_000;
        const sum = (from: number, to: number) =>
          work.filter(([at]) => at > from && at <= to).reduce((all, [, one]) => all + one, 0);
        const surely = sum(bucketStart(bucket, now - windowMs) + bucket.widthMs - 1, now);
        const atMost = sum(bucketStart(bucket, now - windowMs) - 1, bucketStart(bucket, now) + bucket.widthMs);
        expect(hashes).toBeGreaterThanOrEqual(surely - 1e-6);
        expect(hashes).toBeLessThanOrEqual(atMost + 1e-6);
      }),
    );
  });

  test("a miner that stops is at zero one window and one bucket later", () => {
    const sums = fill(FINE, [[NOW, 1_000]]);
    expect(hashrate(FINE, sums, NOW + 30_000, 60_000)).toBeCloseTo(1_000 / 60);
    expect(hashrate(FINE, sums, NOW + 70_000, 60_000)).toBe(0);
  });
});
