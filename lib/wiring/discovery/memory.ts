// Discovery within one process: for services that run together and need no Redis, and for tests.
//
//   Directory (shared by those who should see each other) <-- memoryDiscovery(directory) --> one nexus each
//
// Keeps D1 to D4 of discovery.ts; listeners are told synchronously.

import type { Discovery, InstanceChanges, Registration } from "./discovery.js";
import { checkInstance, type Instance, type InstanceId } from "./instance.js";

type Listener = (instances: readonly Instance[]) => void;

/** What several memory discoveries share: the list of instances, and who wants to know. */
export class Directory {
  readonly #instances = new Map<InstanceId, Instance>();
  readonly #listeners = new Map<string, Set<Listener>>();

  static of(instances: readonly Instance[]): Directory {
    const directory = new Directory();
    for (const instance of instances) directory.put(instance);
    return directory;
  }

  put(instance: Instance): void {
    this.#instances.set(instance.id, instance);
    this.#tell(instance.service);
  }

  get(id: InstanceId): Instance | undefined {
    return this.#instances.get(id);
  }

  remove(id: InstanceId): void {
    const instance = this.#instances.get(id);
    if (!instance) return;
    this.#instances.delete(id);
    this.#tell(instance.service);
  }

  list(service: string): readonly Instance[] {
    return [...this.#instances.values()].filter((instance) => instance.service === service);
  }

  watch(service: string, listener: Listener): () => void {
    const listeners = this.#listeners.get(service) ?? new Set();
    this.#listeners.set(service, listeners.add(listener));
    listener(this.list(service));
    return () => listeners.delete(listener);
  }

  #tell(service: string): void {
    const instances = this.list(service);
    // Set iteration skips what was deleted meanwhile, so a listener that was just stopped is not called (D4).
    for (const listener of this.#listeners.get(service) ?? []) listener(instances);
  }
}

/**
 * A Discovery whose world is `directory`: every nexus that is given one of the same directory sees the others.
 *
 * @param directory Default: a new one, so that only services hosted by the same nexus are found.
 */
export function memoryDiscovery(directory: Directory = new Directory()): Discovery {
  const mine = new Set<InstanceId>();
  const stops = new Set<() => void>();
  return {
    async register(instance: Instance): Promise<Registration> {
      directory.put(checkInstance(instance));
      mine.add(instance.id);
      return {
        async update(changes: InstanceChanges) {
          const current = directory.get(instance.id);
          if (!current) return; // Withdrawn: an update must not bring it back.
          directory.put(checkInstance({ ...current, ...changes, meta: { ...(changes.meta ?? current.meta) } }));
        },
        async withdraw() {
          mine.delete(instance.id);
          directory.remove(instance.id);
        },
      };
    },
    watch(service, listener) {
      const stop = directory.watch(service, listener);
      stops.add(stop);
      return () => {
        stops.delete(stop);
        stop();
      };
    },
    async close() {
      for (const stop of stops) stop();
      stops.clear();
      for (const id of mine) directory.remove(id);
      mine.clear();
    },
  };
}
