// lookups: jobs that this instance does not have, one after the other out of shared state.
//
//   lookup(id, connection) --> the connection's queue --its turn--> load (at most LOOKUPS_MAX run) --> answer; then the next one's turn
//
//   L1. Every connection that waits has its turn, one id at a time: one that invents ids does not keep the others' lookups from running,
//       and none that is honest is refused for what another does.
//   L2. A connection has MISSES_MAX ids that were not there within MISSES_MS, and an id that was not there is not asked again for
//       ABSENT_MS: after that its answers cost nothing.
//   L3. The work of n lookups is proportional to n: a load that ends wakes only whoever waits for that id, and starts one other.

import type { ConnectionId, JobId } from "../../lib/contracts/index.js";
import type { KnownJob } from "./jobs.js";

/** A job's body may be megabytes of transactions. */
const LOOKUPS_MAX = 4;
/** A jobmanager saves what it could not save before some tenths of a second after shared state is back. */
const ABSENT_MS = 1_000;
const MISSES_MS = 10_000;
/** A miner that comes back after a long while has shares of a few jobs, each of which may have expired. */
const MISSES_MAX = 16;
/** Ids, and connections, of which an absence is remembered. */
const ABSENT_MAX = 4_096;

type Found = KnownJob | undefined;

export interface LookupsOptions {
  /** Here already. */
  find(id: JobId): Found;
  /** Never rejects. away: nobody can say whether the job is there. */
  load(id: JobId): Promise<Found | "away">;
}

interface Asked {
  readonly id: JobId;
  readonly answer: (found: Found) => void;
}

export class Lookups {
  /** What each connection waits for; the first of them has its turn or is being loaded. */
  readonly #asked = new Map<ConnectionId, Asked[]>();
  /** Connections whose turn comes; those before #next had it. */
  #turns: ConnectionId[] = [];
  #next = 0;
  /** Whoever waits for an id that is being loaded. */
  readonly #loading = new Map<JobId, ConnectionId[]>();
  readonly #absentUntilMs = new Map<JobId, number>();
  readonly #misses = new Map<ConnectionId, { readonly count: number; readonly untilMs: number }>();

  constructor(private readonly options: LookupsOptions) {}

  lookup(id: JobId, connection: ConnectionId): Promise<Found> {
    return new Promise((answer) => {
      const before = this.#asked.get(connection);
      if (before) before.push({ id, answer });
      else {
        this.#asked.set(connection, [{ id, answer }]);
        this.#turns.push(connection);
        this.#run();
      }
    });
  }

  #run(): void {
    while (this.#next < this.#turns.length && this.#loading.size < LOOKUPS_MAX) {
      const connection = this.#turns[this.#next++];
      if (connection !== undefined) this.#take(connection);
    }
    // What is over is dropped now and then: to move the rest with each turn would make many turns dear.
    if (this.#next < this.#turns.length / 2) return;
    this.#turns = this.#turns.slice(this.#next);
    this.#next = 0;
  }

  /** Answers what costs nothing, and loads or joins the first that does. */
  #take(connection: ConnectionId): void {
    const asked = this.#asked.get(connection) ?? [];
    for (const [at, { id, answer }] of asked.entries()) {
      const known = this.options.find(id);
      if (known || this.#isAbsent(id, connection)) {
        answer(known);
        continue;
      }
      this.#asked.set(connection, asked.slice(at));
      const waiting = this.#loading.get(id);
      if (waiting) waiting.push(connection);
      else void this.#load(id, connection);
      return;
    }
    this.#asked.delete(connection);
  }

  async #load(id: JobId, connection: ConnectionId): Promise<void> {
    const waiting = [connection];
    this.#loading.set(id, waiting);
    const found = await this.options.load(id);
    this.#loading.delete(id);
    if (found === undefined) {
      remember(this.#absentUntilMs, id, performance.now() + ABSENT_MS);
      this.#miss(connection);
    }
    for (const each of waiting) {
      const [first, ...rest] = this.#asked.get(each) ?? [];
      first?.answer(found === "away" ? undefined : found);
      this.#asked.set(each, rest);
      this.#turns.push(each);
    }
    this.#run();
  }

  #isAbsent(id: JobId, connection: ConnectionId): boolean {
    return this.#missed(connection) >= MISSES_MAX || (this.#absentUntilMs.get(id) ?? 0) > performance.now();
  }

  #missed(connection: ConnectionId): number {
    const known = this.#misses.get(connection);
    return known && known.untilMs > performance.now() ? known.count : 0;
  }

  #miss(connection: ConnectionId): void {
    const count = this.#missed(connection) + 1;
    remember(this.#misses, connection, { count, untilMs: performance.now() + MISSES_MS });
  }
}

function remember<K, V>(map: Map<K, V>, key: K, value: V): void {
  if (map.size >= ABSENT_MAX) map.clear();
  map.set(key, value);
}
