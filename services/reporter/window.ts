// Windows: hashrates from sums of hashes in buckets of time. Pure.
//
//   |--b--|--b--|--b--|--b--|-|      buckets of widthMs; the last one is still being filled
//      ^.......window........^now    the first one counts by the part of it that lies in the window
//
// A hashrate is the work done in the window divided by its whole length, so a miner that just began shows a part of its
// speed: the honest answer to "how much in the last hour".

export interface BucketSize {
  readonly widthMs: number;
  /** How far back its buckets are read. */
  readonly spanMs: number;
  /** Until when a bucket is kept: its span, its own width, and some for readers whose clock is behind. */
  readonly keepMs: number;
}

/** For the last minute and five minutes: fine. */
export const FINE: BucketSize = { widthMs: 10_000, spanMs: 5 * 60_000, keepMs: 7 * 60_000 };
/** For the last hour: coarse, or a read would need 360 keys. */
export const COARSE: BucketSize = { widthMs: 60_000, spanMs: 60 * 60_000, keepMs: 65 * 60_000 };

/** Where the bucket of a moment begins; names the bucket. */
export function bucketStart(size: BucketSize, atMs: number): number {
  return Math.floor(atMs / size.widthMs) * size.widthMs;
}

/** Starts of every bucket that reaches into the last spanMs, oldest first. */
export function bucketStarts(size: BucketSize, nowMs: number): number[] {
  const starts: number[] = [];
  for (let start = bucketStart(size, nowMs - size.spanMs); start <= nowMs; start += size.widthMs) starts.push(start);
  return starts;
}

/**
 * Hashes per second over the last windowMs.
 *
 * @param sums Hashes by bucket start.
 * @param windowMs At most the size's span.
 */
export function hashrate(size: BucketSize, sums: ReadonlyMap<number, number>, nowMs: number, windowMs: number): number {
  const from = nowMs - windowMs;
  let hashes = 0;
  for (const [start, sum] of sums) {
    const end = start + size.widthMs;
    if (end <= from || start > nowMs) continue;
    const inside = start >= from ? 1 : (end - from) / size.widthMs;
    hashes += sum * inside;
  }
  return hashes / (windowMs / 1_000);
}

/** The three rates that the contract speaks of. */
export function hashrates(
  fine: ReadonlyMap<number, number>,
  coarse: ReadonlyMap<number, number>,
  nowMs: number,
): { hashrate1m: number; hashrate5m: number; hashrate1h: number } {
  return {
    hashrate1m: hashrate(FINE, fine, nowMs, 60_000),
    hashrate5m: hashrate(FINE, fine, nowMs, FINE.spanMs),
    hashrate1h: hashrate(COARSE, coarse, nowMs, COARSE.spanMs),
  };
}
