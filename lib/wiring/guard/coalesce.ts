// Coalesce: single flight. Overlapping calls with the same key share one request; each keeps its own budget and its own
// way to give up.
//
//   caller --\
//   caller ---+--> Flight (one call, the longest of their budgets) --> reply or failure, the same for all still waiting
//   caller --/
//
//   F1. One caller's timeout or cancellation ends that caller's wait only.
//   F2. When the last one has given up, the shared call is cancelled.

/** The shared call, as this file needs it. */
export interface Flight {
  readonly promise: Promise<unknown>;
  /** Longer budget, for a caller that joined later. */
  extend(deadlineMs: number): void;
  cancel(reason: string): void;
  /** Why there is no result by now; undefined: it has one, on its way. */
  overdue(): Error | undefined;
}

/** One caller's part. */
export interface Passenger {
  readonly promise: Promise<unknown>;
  overdue(): Error | undefined;
  /** The caller gives up; its promise has been settled by whoever calls this. */
  leave(): void;
}

interface Shared {
  readonly flight: Flight;
  passengers: number;
}

export class Coalesce {
  readonly #flights = new Map<string, Shared>();

  /** @param begin Makes the shared call, when there is none with this key. */
  join(key: string, deadlineMs: number, begin: () => Flight): Passenger {
    const shared = this.#flights.get(key) ?? this.#begin(key, begin);
    shared.passengers += 1;
    shared.flight.extend(deadlineMs);
    let aboard = true;
    return {
      promise: shared.flight.promise,
      overdue: () => shared.flight.overdue(),
      leave: () => {
        if (!aboard) return;
        aboard = false;
        shared.passengers -= 1;
        if (shared.passengers > 0) return; // F1
        this.#forget(key, shared);
        shared.flight.cancel("every caller that shared it has given up"); // F2
      },
    };
  }

  #begin(key: string, begin: () => Flight): Shared {
    const shared = { flight: begin(), passengers: 0 };
    this.#flights.set(key, shared);
    const forget = () => this.#forget(key, shared);
    shared.flight.promise.then(forget, forget);
    return shared;
  }

  #forget(key: string, shared: Shared): void {
    if (this.#flights.get(key) === shared) this.#flights.delete(key);
  }
}
