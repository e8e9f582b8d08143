// Stalls: how long clients waited for answers, overall and while each kind of fault was felt. Pure.

/** Waits are counted in classes of this width; above the last one they are kept as they are. */
const CLASS_MS = 1;
const CLASSES = 1_000;

export interface Percentiles {
  readonly count: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

class Histogram {
  readonly #classes = new Uint32Array(CLASSES);
  readonly #long: number[] = [];
  #count = 0;
  #max = 0;

  add(ms: number): void {
    this.#count += 1;
    this.#max = Math.max(this.#max, ms);
    const at = Math.floor(Math.max(0, ms) / CLASS_MS);
    if (at < CLASSES) this.#classes[at] = (this.#classes[at] ?? 0) + 1;
    else this.#long.push(ms);
  }

  percentiles(): Percentiles {
    const long = this.#long.toSorted((a, b) => a - b);
    const [p50, p99] = [this.#at(0.5, long), this.#at(0.99, long)];
    return { count: this.#count, p50, p99, max: round(this.#max) };
  }

  #at(part: number, long: readonly number[]): number {
    if (this.#count === 0) return 0;
    const wanted = Math.ceil(part * this.#count);
    let seen = 0;
    for (let at = 0; at < CLASSES; at++) {
      seen += this.#classes[at] ?? 0;
      if (seen >= wanted) return (at + 1) * CLASS_MS;
    }
    return round(long[wanted - seen - 1] ?? 0);
  }
}

const round = (ms: number): number => Math.round(ms * 10) / 10;

export class Stalls {
  readonly #all = new Histogram();
  readonly #byKind = new Map<string, Histogram>();
  /** Client -> its longest wait. */
  readonly #worst = new Map<number, number>();

  add(ms: number, kinds: Iterable<string>, client?: number): void {
    this.#all.add(ms);
    if (client !== undefined) this.#worst.set(client, Math.max(ms, this.#worst.get(client) ?? 0));
    for (const kind of kinds) {
      let histogram = this.#byKind.get(kind);
      if (!histogram) {
        histogram = new Histogram();
        this.#byKind.set(kind, histogram);
      }
      histogram.add(ms);
    }
  }

  get all(): Percentiles {
    return this.#all.percentiles();
  }

  /** The longest wait of each client. */
  get worst(): Percentiles {
    const histogram = new Histogram();
    for (const ms of this.#worst.values()) histogram.add(ms);
    return histogram.percentiles();
  }

  of(kind: string): Percentiles {
    return (this.#byKind.get(kind) ?? new Histogram()).percentiles();
  }
}
