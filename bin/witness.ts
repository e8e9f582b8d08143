// The pool's witness for a process manager that runs circus.ini by itself: `witness` in [circus] names this file (docs/circus.md).
//
//   node dist/circus/main.js circus/circus.ini --loads--> openWitness(env) --> { ready, died, close }
//
//   I1. A configuration that is wrong is refused before anything starts; a Redis that is away is waited for, for ever: this is what
//       runs unattended.
//   I2. When the last process is gone, HAProxy's sockets go too: HAProxy itself leaves them behind.

import { rm } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import type { CircusWitness } from "../circus/index.js";
import { Haproxy, haproxyPaths } from "../haproxy/index.js";
import { openHouse, RedisRefused, Registry } from "../lib/wiring/index.js";
import { readConfig } from "./config.js";
import { keepLastKnown } from "./manage/last-known.js";
import { type Sight, Witness } from "./up/witness.js";

const RETRY_MS = 1_000;

/** @throws {ConfigError} I1. */
export async function openWitness(env: Readonly<Record<string, string | undefined>>): Promise<CircusWitness> {
  const config = readConfig({ config: env.HEADFRAME_CONFIG, set: [] });
  const paths = haproxyPaths(env.HEADFRAME_SOCKETS ?? config.runDirectory);
  let seeing: Promise<Sight> | undefined;
  let forget = () => {};
  const open = async (): Promise<Sight> => {
    const house = await openHouse({ ...config.house, log: { level: "silent", name: "circus" } });
    const registry = Registry.open({ redis: house.redis.discovery, cluster: house.cluster });
    forget = keepLastKnown(registry, env.HEADFRAME_SOCKETS ?? config.runDirectory);
    return { haproxy: Haproxy.at(config.haproxy, paths), house, registry };
  };
  const seen = async () => seeing?.catch(() => undefined);
  const witness = new Witness({
    seen,
    async see(signal, waitsFor) {
      for (;;) {
        seeing ??= open();
        try {
          return await seeing;
        } catch (error) {
          if (!(error instanceof RedisRefused)) throw error;
          seeing = undefined;
          waitsFor(error.message);
          await delay(RETRY_MS, undefined, { signal }); // I1
        }
      }
    },
  });
  return {
    ready: witness.ready,
    died: (death) => witness.died(death),
    async close() {
      const sight = await seen();
      forget();
      await sight?.registry.close();
      await sight?.house.close();
      for (const socket of [paths.stats, paths.master]) await rm(socket, { force: true }); // I2
    },
  };
}
