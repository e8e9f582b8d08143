// Missing instances: those that left discovery without saying so, until something takes their place. Pure.
//
//   instance vanished (killed, hanging, cut off) --> kept, shown in red --> another one of its service joins on its host, or it is back
//
// Discovery forgets an instance when its heartbeat stops. A picture of what discovery lists would lose the part that is in trouble.

import type { Instance } from "../../lib/wiring/index.js";

/** More at once is a host that is gone: the newest tell that as well. */
const MISSING_MAX = 64;
/** Nobody has replaced it for so long: then it was taken away for good. */
const MISSING_MS = 24 * 3_600_000;

export interface MissingInstance {
  readonly instance: Instance;
  /** When discovery dropped it, milliseconds since the epoch. */
  readonly sinceMs: number;
}

export class Missing {
  /** By instance id, in the order in which they vanished. */
  readonly #missing = new Map<string, MissingInstance>();

  constructor(private readonly nowMs: () => number) {}

  /** Not for an instance that said that it leaves. */
  add(instance: Instance): void {
    this.#missing.set(instance.id, { instance, sinceMs: this.nowMs() });
    const [oldest] = this.#missing.keys();
    if (this.#missing.size > MISSING_MAX && oldest !== undefined) this.#missing.delete(oldest);
  }

  /** It is back, or takes the place of the one that has been missing longest. */
  joined({ id, service, host }: Instance): void {
    if (this.#missing.delete(id)) return;
    const replaced = [...this.#missing.values()].find(
      (it) => it.instance.service === service && it.instance.host === host,
    );
    if (replaced) this.#missing.delete(replaced.instance.id);
  }

  list(): readonly MissingInstance[] {
    const since = this.nowMs() - MISSING_MS;
    for (const [id, { sinceMs }] of this.#missing) if (sinceMs < since) this.#missing.delete(id);
    return [...this.#missing.values()];
  }
}
