// out-certificates: an edge that the keeper saw end leaves discovery at once, and not when its heartbeat has expired.
//
// The process manager certifies the deaths of its children; an edge is the keeper's child, and the keeper knows no Redis. So
// the edge that serves does it.

import { type House, Registry } from "../../lib/wiring/index.js";

interface Dead {
  readonly pid: number;
  /** Undefined: nobody can tell which process it was, and its entry expires. */
  readonly mark?: string | undefined;
}

/** Never rejects: without Redis the entry expires by itself. */
export async function certifyDeath({ redis, cluster, log }: House, { pid, mark }: Dead): Promise<void> {
  if (mark === undefined) return;
  const registry = Registry.open({ redis: redis.discovery, cluster, log });
  try {
    const dead = await registry.certifyDeath(mark);
    if (dead.length > 0) log.info({ pid, instances: dead.map(({ id }) => id) }, "an edge died: it left discovery");
  } catch (error) {
    log.warn({ pid, err: error }, "an edge died, and discovery cannot be told; its entry will expire");
  } finally {
    await registry.close();
  }
}
