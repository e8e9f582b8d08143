// Roster: what one process believes about the instances of one service. Pure: it is told what was heard and what time it is.
//
//   announcements (at once) --put, remove--> Roster --list()--> listeners
//   the index (every few seconds) --reconcile, update, renew--^
//
//   L1. An older revision never replaces a newer one: a read that overtook an announcement is harmless.
//   L2. Who left stays gone: ids are not used twice, so an old read cannot bring one back.
//   L3. Who is missing from the index is dropped only when the reader may trust it (`dropMissing`); a Redis that has just come
//       back empty is not trusted.

import type { Instance, InstanceId } from "./instance.js";
import type { Seen } from "./record.js";

interface Entry extends Seen {
  /** When its life ends unless renewed: the caller's clock. */
  expiresAtMs: number;
}

/** How long a departed id is remembered: much longer than any read or announcement may be under way. */
const REMEMBER_GONE_MS = 60_000;

export class Roster {
  readonly #known = new Map<InstanceId, Entry>();
  /** Id -> when to forget it. Bounded by its time: an instance leaves once. */
  readonly #gone = new Map<InstanceId, number>();

  list(): readonly Instance[] {
    return [...this.#known.values()].map((entry) => entry.instance);
  }

  /** The earliest end of a known life, or Infinity: worth a look at the index. */
  nextExpiryMs(): number {
    let next = Number.POSITIVE_INFINITY;
    for (const entry of this.#known.values()) next = Math.min(next, entry.expiresAtMs);
    return next;
  }

  /** @returns whether the list changed. */
  put(seen: Seen, lifeMs: number, nowMs: number): boolean {
    const { id } = seen.instance;
    if (this.#gone.has(id)) return false; // L2
    const before = this.#known.get(id);
    if (before && before.revision > seen.revision) return false; // L1
    this.#known.set(id, { ...seen, expiresAtMs: nowMs + lifeMs });
    return !before || before.revision !== seen.revision;
  }

  /** @returns whether the list changed. */
  remove(id: InstanceId, nowMs: number): boolean {
    for (const [old, forgetAtMs] of this.#gone) if (forgetAtMs <= nowMs) this.#gone.delete(old);
    this.#gone.set(id, nowMs + REMEMBER_GONE_MS);
    return this.#known.delete(id);
  }

  /** Nothing has changed, and by the index nobody's life ends within lifeMs. */
  renew(lifeMs: number, nowMs: number): void {
    const expiresAtMs = nowMs + lifeMs;
    for (const entry of this.#known.values()) if (entry.expiresAtMs < expiresAtMs) entry.expiresAtMs = expiresAtMs;
  }

  /** Takes over what the index says has changed. */
  update(found: readonly Found[], nowMs: number, dropMissing: boolean): Reconciled {
    const reconciled = { changed: false, complete: true };
    for (const { id, seen, lifeMs } of found) {
      if (seen) reconciled.changed = this.put(seen, lifeMs, nowMs) || reconciled.changed;
      else this.#miss(id, nowMs, dropMissing, reconciled);
    }
    return reconciled;
  }

  /** Takes over what the index says: all of it. */
  reconcile(found: readonly Found[], nowMs: number, dropMissing: boolean): Reconciled {
    const reconciled = this.update(found, nowMs, dropMissing);
    const present = new Set<string>(found.map(({ id }) => id));
    for (const id of this.#known.keys()) if (!present.has(id)) this.#miss(id, nowMs, dropMissing, reconciled);
    return reconciled;
  }

  #miss(id: string, nowMs: number, dropMissing: boolean, reconciled: Mutable<Reconciled>): void {
    const entry = this.#known.get(id as InstanceId);
    if (!entry) return;
    // Still alive by what we know: it was announced after the index was read.
    if (!dropMissing || entry.expiresAtMs > nowMs) reconciled.complete = false;
    else reconciled.changed = this.#known.delete(id as InstanceId) || reconciled.changed;
  }
}

/** A place in the index. */
export interface Found {
  readonly id: string;
  /** Undefined: it is gone, or what stands there is no instance. */
  readonly seen: Seen | undefined;
  readonly lifeMs: number;
}

export interface Reconciled {
  /** The list is another one. */
  readonly changed: boolean;
  /** The list is what the index said; false: it has more, which the index must be asked for again. */
  readonly complete: boolean;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };
