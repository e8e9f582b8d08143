// Loads: how many clients each instance has, as it says itself, for whoever lists instances.

import { z } from "zod";
import { defineContract, type House, type Instance, instanceId, method, WiringError } from "../lib/wiring/index.js";

/** The one figure that edges and stratum instances both tell. */
const status = method({
  request: z.object({}),
  reply: z.object({ connections: z.number().int() }),
  idempotent: true,
});
const SERVICES = ["edge", "stratum"];

/** An instance that has not told by then is listed without: a list must not wait for one that hangs. */
const ANSWER_MS = 700;

/** Connections by instance id. Instances of other services have none. */
export async function loadsOf({ nexus }: House, instances: readonly Instance[]): Promise<ReadonlyMap<string, number>> {
  const loads = new Map<string, number>();
  const ask = async (service: string) => {
    const client = nexus.client(defineContract({ service, methods: { status }, pushes: {} }));
    const ready = instances.filter((it) => it.service === service && it.state !== "starting");
    const answers = ready.map(async ({ id }) => {
      const { connections } = await client.call("status", {}, { to: instanceId.parse(id), timeoutMs: ANSWER_MS });
      loads.set(id, connections);
    });
    for (const answer of await Promise.allSettled(answers)) {
      if (answer.status === "rejected" && !(answer.reason instanceof WiringError)) throw answer.reason;
    }
    await client.close();
  };
  await Promise.all(SERVICES.map(ask));
  return loads;
}
