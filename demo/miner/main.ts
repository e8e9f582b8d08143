// The demo miner: a few slow rigs that speak Stratum through HAProxy, as any miner would.

import type { House, Running } from "../../lib/wiring/index.js";
import { miner } from "./contract.js";
import { Rig } from "./rig.js";
import type { Settings } from "./settings.js";

export async function open(house: House, settings: Settings): Promise<Running> {
  const rigs = new Map<string, Rig>();
  const stop = async () => {
    await Promise.all([...rigs.values()].map((rig) => rig.stop()));
    return {};
  };
  const status = () => ({ rigs: [...rigs].map(([worker, rig]) => ({ worker, ...rig.counts })) });
  const hosted = await house.nexus.host(miner, { status, stop });
  for (let n = 1; n <= settings.rigs; n++) {
    const worker = `${settings.account}.rig${n}`;
    rigs.set(worker, new Rig({ ...settings, worker, onEvent: (event) => hosted.push("event", event) }));
  }
  return {
    drain: async () => {
      await stop();
    },
    close: async () => {
      await stop();
      await hosted.close();
    },
  };
}
