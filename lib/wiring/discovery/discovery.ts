// Discovery: who offers which service, and where. An interface, so that the nexus knows nothing of Redis.
//
//   nexus --register(instance)--> Discovery --watch(service)--> nexus of every other process
//
// Implemented over Redis by registry.ts and heartbeat.ts (several processes) and by memory.ts (one process, tests).
//
//   D1. `watch` tells the listener what is known at once (before it returns, or at the next turn of the event loop), then
//       after every change, always the whole list, in no particular order.
//   D2. An instance is listed from register() on, in whatever state it is in (starting ones too), until withdraw(), the end
//       of its heartbeat's lifetime, or its death certificate.
//   D3. While the store behind it is away, discovery keeps telling the last known list: it never empties a list because it
//       cannot read. The nexus sees a dead peer by its socket.
//   D4. A listener never runs after its stop function was called, and never after close().

import type { Instance, InstanceState } from "./instance.js";

/** What may change of an instance while it lives. Absent: as it was. `meta` replaces the whole of it. */
export interface InstanceChanges {
  readonly state?: InstanceState;
  readonly meta?: Readonly<Record<string, string>>;
}

/** An instance that this process has registered. */
export interface Registration {
  /** Resolves when other processes can see the change (or, with the store away, when it is sure to go out once it is back). */
  update(changes: InstanceChanges): Promise<void>;
  /** Leaves. Resolves when nothing would bring the instance back; safe twice. */
  withdraw(): Promise<void>;
}

export interface Discovery {
  /** Resolves when the instance is discoverable by everyone (D2). */
  register(instance: Instance): Promise<Registration>;
  /** @returns the way to stop. Watching a service that nobody offers is fine: the list is empty. */
  watch(service: string, listener: (instances: readonly Instance[]) => void): () => void;
  /** Withdraws what is still registered, stops every watch. Safe twice. */
  close(): Promise<void>;
}
