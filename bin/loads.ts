// Loads: how many clients each instance has, as it says itself, for whoever lists instances.

import { z } from "zod";
import { type Client, defineContract, type House, type Instance, method, WiringError } from "../lib/wiring/index.js";

/** The one figure that edges and stratum instances both tell. */
const status = method({
  request: z.object({}),
  reply: z.object({ connections: z.number().int() }),
  idempotent: true,
});
const SERVICES = ["edge", "stratum"];

/** An instance that has not told by then is listed without: a list must not wait for one that hangs. */
const ANSWER_MS = 700;

const loaded = (service: string) => defineContract({ service, methods: { status }, pushes: {} });

export class Loads {
  readonly #clients: ReadonlyMap<string, Client<ReturnType<typeof loaded>>>;

  constructor({ nexus }: House) {
    this.#clients = new Map(SERVICES.map((service) => [service, nexus.client(loaded(service))]));
  }

  /** Connections by instance id. Instances of other services have none, nor those that do not answer. */
  async of(instances: readonly Instance[]): Promise<ReadonlyMap<string, number>> {
    const loads = new Map<string, number>();
    const ask = async ([service, client]: [string, Client<ReturnType<typeof loaded>>]) => {
      const ready = instances.filter((it) => it.service === service && it.state === "ready");
      await settled([client.ready(ANSWER_MS, ready.length)]);
      const answers = ready.map(async ({ id }) => {
        const { connections } = await client.call("status", {}, { to: id, timeoutMs: ANSWER_MS });
        loads.set(id, connections);
      });
      await settled(answers);
    };
    await Promise.all([...this.#clients].map(ask));
    return loads;
  }

  async close(): Promise<void> {
    for (const client of this.#clients.values()) await client.close();
  }
}

/** Whoever does not answer is left out; anything else that fails is a bug. */
async function settled(answers: readonly Promise<void>[]): Promise<void> {
  for (const answer of await Promise.allSettled(answers)) {
    if (answer.status === "rejected" && !(answer.reason instanceof WiringError)) throw answer.reason;
  }
}
