// Replacing the processes of one watcher that ended unasked: waits (backoff.ts decides how long), counts, gives up.
//
//   Watcher.#ended -> Respawner.died -> a timer -> spawn, or gaveUp

import { afterDeath, BACKOFF, type Backoff, FRESH } from "./backoff.js";
import { CircusError } from "./errors.js";

export interface RespawnOptions {
  readonly name: string;
  readonly max_retry: number;
  readonly retry_window: number;
}

export class Respawner {
  /** Replacements so far. */
  restarts = 0;
  #backoff: Backoff = FRESH;
  #gaveUp: CircusError | undefined;
  readonly #timers = new Set<NodeJS.Timeout>();

  constructor(
    private readonly options: () => RespawnOptions,
    private readonly random: () => number,
    private readonly spawn: () => void,
  ) {}

  /** Processes that will start by themselves. */
  get pending(): number {
    return this.#timers.size;
  }

  /** Why nothing is replaced any more. */
  get gaveUp(): CircusError | undefined {
    return this.#gaveUp;
  }

  /** @param said The last lines of the process. */
  died(livedMs: number, said: readonly string[]): void {
    if (this.#gaveUp !== undefined) return;
    const { max_retry, retry_window } = this.options();
    const limits = { ...BACKOFF, retryMax: max_retry, windowMs: retry_window * 1_000 };
    const { backoff, verdict } = afterDeath(this.#backoff, { atMs: Date.now(), livedMs }, limits, this.random());
    this.#backoff = backoff;
    if (verdict.kind === "give up") this.#giveUp(verdict.deaths, said);
    else this.#startIn(verdict.delayMs);
  }

  /** Nothing starts by itself until the next death. */
  cancel(): void {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
  }

  /** A person started it again: earlier deaths are forgotten. */
  forgive(): void {
    this.#backoff = FRESH;
    this.#gaveUp = undefined;
  }

  #startIn(delayMs: number): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      this.restarts++;
      this.spawn();
    }, delayMs);
    this.#timers.add(timer);
  }

  #giveUp(deaths: number, said: readonly string[]): void {
    this.cancel();
    const { name, max_retry, retry_window } = this.options();
    const limit = `${deaths} deaths within ${retry_window} s, max_retry is ${max_retry}`;
    const last = said.length === 0 ? "" : ` The last one said:\n${said.join("\n")}`;
    this.#gaveUp = new CircusError("GAVE_UP", `${name}: gave up (${limit}); mend the cause, then start it.${last}`);
  }
}
