// What every part of this instance works with: settings, book, clock, counters, and the ways out. Opened once by main.ts.

import { randomInt } from "node:crypto";
import { type Difficulty, type RejectReason, type WorkerName, workerName } from "../../lib/contracts/index.js";
import type { Log } from "../../lib/wiring/index.js";
import type { Conduct } from "./conduct.js";
import type { Connection } from "./connections.js";
import type { JobBook } from "./jobs.js";
import { rulesOf } from "./limits.js";
import { type Archive, type Blocks, type Memory, NO_WORKER, type Outbox, type Recorder } from "./ports.js";
import type { Context } from "./session-state.js";
import { type ListenerRules, type Settings, settings as schema } from "./settings.js";
import type { Tally } from "./tally.js";
import { quantized, SALT_MAX } from "./variant.js";

export interface DeskParts {
  readonly settings: Settings;
  readonly book: JobBook;
  readonly out: Outbox;
  readonly shares: Recorder;
  readonly blocks: Blocks;
  readonly state: Memory;
  readonly jobs: Archive;
  readonly log: Log;
  readonly tally: Tally;
  /** When a coin daemon last gave a sign of life; monotonic. */
  freshAtMs(): number;
  /** Tests: of the next announcement, 0 to SALT_MAX. */
  readonly salt?: () => number;
  /** Default: nobody misbehaves. */
  readonly conduct?: Pick<Conduct, "goodShare" | "refusedShare" | "garbledLine">;
}

const NOBODY_MINDS = { goodShare: () => {}, refusedShare: () => false, garbledLine: () => {} };

export class Desk implements DeskParts {
  readonly settings: Settings;
  readonly book: JobBook;
  readonly out: Outbox;
  readonly shares: Recorder;
  readonly blocks: Blocks;
  readonly state: Memory;
  readonly jobs: Archive;
  readonly log: Log;
  readonly tally: Tally;
  readonly conduct: NonNullable<DeskParts["conduct"]>;
  readonly freshAtMs: () => number;
  /** The least difficulty that any listener announces. */
  readonly floor: Difficulty;
  /** A new one for each announcement: from a random number on, so that two instances tell the same job as different work. */
  readonly salt: () => number;
  readonly #admits: (worker: string) => boolean;
  readonly #fallback: ListenerRules;

  constructor(parts: DeskParts) {
    this.settings = parts.settings;
    this.book = parts.book;
    this.out = parts.out;
    this.shares = parts.shares;
    this.blocks = parts.blocks;
    this.state = parts.state;
    this.jobs = parts.jobs;
    this.log = parts.log;
    this.tally = parts.tally;
    this.freshAtMs = () => parts.freshAtMs();
    this.conduct = parts.conduct ?? NOBODY_MINDS;
    this.#admits = admission(parts.settings);
    this.#fallback = fallbackRules();
    let salt = randomInt(SALT_MAX + 1);
    this.salt = parts.salt ?? (() => (salt = (salt + 1) % (SALT_MAX + 1)));
    const floors = [this.#fallback, ...Object.values(parts.settings.listeners)].flatMap(({ difficulty, agents }) => [
      difficulty.floor,
      ...agents.flatMap(({ floor, ceiling }) => [floor ?? difficulty.floor, ceiling ?? difficulty.floor]),
    ]);
    this.floor = quantized(Math.min(...floors));
  }

  /** C5: no coin daemon has answered for so long that miners are better off elsewhere. */
  workless(ms: number): boolean {
    return ms - this.freshAtMs() > this.settings.noWorkDisconnectMs;
  }

  rulesOf(listener: string): ListenerRules {
    return rulesOf(this.settings, listener) ?? this.#fallback;
  }

  /**
   * What a connection's session may know of the world now.
   *
   * @param ms Monotonic. @param at Wall clock in milliseconds. For whoever has read the clocks already.
   */
  context({ rules }: Pick<Connection, "rules">, ms = performance.now(), at = Date.now()): Context {
    return {
      settings: this.settings,
      rules,
      book: this.book,
      admits: this.#admits,
      workless: this.workless(ms),
      nowMs: ms,
      seconds: Math.floor(at / 1_000),
      salt: this.salt,
    };
  }

  /** Counted under a worker only when it is one of ours: a stranger could invent names without end. */
  rejected(worker: string, reason: RejectReason, authorized = false): void {
    this.tally.count("stratum.shares", 1, ["outcome", reason]);
    const parsed = workerName.safeParse(worker);
    this.shares.reject(authorized && parsed.success ? parsed.data : NO_WORKER, reason);
  }

  /** Who is told to have found a block, whatever name came with it. */
  finder(worker: string, authorized: readonly WorkerName[]): WorkerName {
    const parsed = workerName.safeParse(worker);
    return parsed.success ? parsed.data : (authorized[0] ?? NO_WORKER);
  }
}

function admission({ authorize }: Settings): (worker: string) => boolean {
  if (authorize === "open") return () => true;
  const pattern = new RegExp(authorize.pattern);
  return (worker) => pattern.test(worker);
}

/** A configuration that names listeners but no `default` leaves the others with the defaults of each key. */
function fallbackRules(): ListenerRules {
  const { default: rules } = schema.parse({}).listeners;
  if (!rules) throw new Error("the settings' defaults name no default listener: a bug in settings.ts");
  return rules;
}
