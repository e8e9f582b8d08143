// Out: the rings of samples in Redis, so that plots survive every restart.
//
//   HSET hf:{cluster}:dashboard:series:1h SLOT sample      one hash a ring, never more fields than slots

import type { House } from "../../lib/wiring/index.js";
import { key } from "../../lib/wiring/index.js";
import type { Series } from "./model.js";
import { columns, RINGS, type Ring, type Sample, sample, slotOf } from "./series.js";

/** A ring that nobody writes to any more goes by itself. */
const KEEP_MS = 2 * 86_400_000;

export class SeriesStore {
  constructor(
    private readonly redis: House["redis"]["shares"],
    private readonly cluster: string,
  ) {}

  async add(it: Sample): Promise<void> {
    const text = JSON.stringify(it);
    for (const ring of RINGS) {
      const name = this.#key(ring);
      await this.redis.hset(name, { [slotOf(ring, it.at)]: text });
      await this.redis.pexpire(name, KEEP_MS);
    }
  }

  async read(name: Ring["name"], nowMs: number): Promise<Series> {
    const ring = name === "24h" ? RINGS[1] : RINGS[0];
    const texts: unknown[] = await this.redis.hvals(this.#key(ring));
    return columns(ring, texts.flatMap(parse), nowMs);
  }

  #key({ name }: Ring): string {
    return key(this.cluster, "dashboard", `series:${name}`);
  }
}

/** A slot that another version wrote counts as not written. */
function parse(text: unknown): Sample[] {
  try {
    const read = sample.safeParse(JSON.parse(String(text)));
    return read.success ? [read.data] : [];
  } catch {
    return [];
  }
}

export interface SamplerOptions {
  readonly store: SeriesStore;
  readonly everyMs: number;
  /** Undefined: nothing is known just now, and a gap stays. */
  take(): Promise<Sample | undefined>;
  onSample(outcome: "ok" | "failed", error?: unknown): void;
}

/** Takes a sample now and then, for as long as it is open. */
export class Sampler {
  readonly #timer: NodeJS.Timeout;
  #sampling: Promise<void> | undefined;

  constructor(private readonly options: SamplerOptions) {
    this.#timer = setInterval(() => this.#sample(), options.everyMs);
    this.#sample();
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#sampling;
  }

  #sample(): void {
    this.#sampling ??= this.#sampleOnce().finally(() => {
      this.#sampling = undefined;
    });
  }

  async #sampleOnce(): Promise<void> {
    const { store, take, onSample } = this.options;
    try {
      const it = await take();
      if (it) await store.add(it);
      onSample(it ? "ok" : "failed");
    } catch (error) {
      onSample("failed", error);
    }
  }
}
