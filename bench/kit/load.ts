// Load: keeps a number of requests outstanding and takes their times. The same loop drives every contender.
//
//   begin(done) x outstanding --> done --> begin(done) --> ...  until the time is over, then the last answers are awaited

import { usage } from "./agent.js";

/** What one round found. Times in microseconds, from the request to its answer. */
export interface Load {
  readonly n: number;
  readonly seconds: number;
  readonly rate: number;
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
  /** Of the asking process. */
  readonly cpuUs: number;
  readonly rssBytes: number;
}

/** Calls `done` once, later, when the answer is there and right. */
export type Begin = (done: () => void) => void;

/** With many outstanding every slot's time would cost more than the fastest contender's request: one slot in so many is timed. */
const TIMED_EVERY = 16;
const ALL_TIMED_MAX = 16;

export function load(begin: Begin, { outstanding, ms }: { readonly outstanding: number; readonly ms: number }) {
  return new Promise<Load>((resolve) => {
    const every = outstanding <= ALL_TIMED_MAX ? 1 : TIMED_EVERY;
    const times: number[] = [];
    let over = false;
    let open = outstanding;
    let n = 0;
    const before = usage();
    const startMs = performance.now();
    setTimeout(() => {
      over = true;
    }, ms);
    const finish = () => {
      const seconds = (performance.now() - startMs) / 1_000;
      const { cpuUs, rssBytes } = usage();
      resolve({ n, seconds, rate: n / seconds, ...quantiles(times), cpuUs: cpuUs - before.cpuUs, rssBytes });
    };
    const start = (timed: boolean) => {
      let sinceMs = startMs;
      const next = () => {
        n += 1;
        if (timed) {
          const nowMs = performance.now();
          times.push(nowMs - sinceMs);
          sinceMs = nowMs;
        }
        if (!over) begin(next);
        else if (--open === 0) finish();
      };
      sinceMs = performance.now();
      begin(next);
    };
    for (let slot = 0; slot < outstanding; slot++) start(slot % every === 0);
  });
}

/** @param ms Times in milliseconds; they are sorted. @returns microseconds. */
export function quantiles(ms: number[]): { p50: number; p99: number; p999: number } {
  ms.sort((a, b) => a - b);
  const at = (part: number) => 1_000 * (ms[Math.min(ms.length - 1, Math.floor(part * ms.length))] ?? Number.NaN);
  return { p50: at(0.5), p99: at(0.99), p999: at(0.999) };
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? Number.NaN)) / 2;
}
