// The machine under the run: how busy its processors are, and what of that is this program's own.
//
//   Machine.open -> every LOOK_MS: is any processor idle? -> busy(stretch) -> ... -> close -> Use
//
// A run judges the pool by how long clients wait; where every processor is busy for seconds, a reader must know it.

import { cpus } from "node:os";
import { clockMs } from "./seen.js";
import type { Stretch } from "./tolls.js";

export interface Use {
  /** Of all processors, 0 to 1. */
  readonly busy: number;
  /** What this program (clients, schedule, judgement) took of it, in processors. */
  readonly own: number;
  readonly processors: number;
}

/** Linux counts in hundredths of a second: twenty a processor. */
const LOOK_MS = 200;
/** Below this part of idle time nobody had anything left. */
const IDLE_MIN = 0.05;

interface Count {
  readonly idle: number;
  readonly all: number;
}

export class Machine {
  readonly #begun = { count: count(), own: process.cpuUsage(), atMs: clockMs() };
  readonly #timer: NodeJS.Timeout;
  #last = this.#begun.count;
  #busySinceMs: number | undefined;
  #lookedMs = this.#begun.atMs;

  private constructor(private readonly busy: (stretch: Stretch) => void) {
    this.#timer = setInterval(() => this.#look(), LOOK_MS);
  }

  /** @param busy Hears of each stretch in which no processor had time left, at its end. */
  static open(busy: (stretch: Stretch) => void): Machine {
    return new Machine(busy);
  }

  /** Safe twice; since `open`. */
  close(): Use {
    clearInterval(this.#timer);
    this.#pause(this.#lookedMs);
    const { count: before, own, atMs } = this.#begun;
    const { user, system } = process.cpuUsage(own);
    const now = count();
    const all = Math.max(1, now.all - before.all);
    const ms = Math.max(1, clockMs() - atMs);
    return {
      busy: 1 - (now.idle - before.idle) / all,
      own: (user + system) / 1_000 / ms,
      processors: cpus().length,
    };
  }

  #look(): void {
    const now = count();
    const nowMs = clockMs();
    const all = now.all - this.#last.all;
    if (all > 0 && (now.idle - this.#last.idle) / all < IDLE_MIN) this.#busySinceMs ??= this.#lookedMs;
    else this.#pause(this.#lookedMs);
    this.#last = now;
    this.#lookedMs = nowMs;
  }

  #pause(atMs: number): void {
    if (this.#busySinceMs !== undefined && atMs > this.#busySinceMs)
      this.busy({ fromMs: this.#busySinceMs, untilMs: atMs });
    this.#busySinceMs = undefined;
  }
}

function count(): Count {
  let [idle, all] = [0, 0];
  for (const { times } of cpus()) {
    idle += times.idle;
    all += times.idle + times.user + times.nice + times.sys + times.irq;
  }
  return { idle, all };
}
