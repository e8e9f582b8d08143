// Whether a process' memory is flat: its samples over a run, judged. Pure.

export interface Sample {
  readonly atMs: number;
  readonly bytes: number;
}

export interface Growth {
  /** Median of the second quarter of the run (the first warms up), and of the last. */
  readonly early: number;
  readonly late: number;
  readonly flat: boolean;
}

/** A heap breathes: garbage waits for its collection. */
const FACTOR_MAX = 1.25;
const SLACK_BYTES = 24 << 20;
const QUARTERS = 4;
/** Fewer samples show nothing. */
const SAMPLES_MIN = 8;

/** Undefined: too few samples. */
export function growthOf(samples: readonly Sample[]): Growth | undefined {
  if (samples.length < SAMPLES_MIN) return undefined;
  const quarter = Math.floor(samples.length / QUARTERS);
  const early = median(samples.slice(quarter, 2 * quarter));
  const late = median(samples.slice(-quarter));
  return { early, late, flat: late <= early * FACTOR_MAX + SLACK_BYTES };
}

function median(samples: readonly Sample[]): number {
  const sorted = samples.map(({ bytes }) => bytes).sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}
