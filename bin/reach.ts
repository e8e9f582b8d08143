// Reach: whether an instance that discovery lists can be talked to, whatever its service: every instance answers `logLevel` (everywhere.ts).
//
//   Instance --logLevel {}--> it answers | the reason why not
//
// A process of another wire protocol, behind a firewall, or under an address that leads elsewhere beats in Redis like a healthy one.

import { setTimeout as delay } from "node:timers/promises";
import { type Client, everywhere, type House, type Instance, WiringError } from "../lib/wiring/index.js";

/** A list must not wait for one that hangs. */
const ANSWER_MS = 700;
/** A link takes its time to come up. */
const LOOK_EVERY_MS = 25;

type Asker = Client<ReturnType<typeof everywhere<string>>>;

export class Reach {
  readonly #clients = new Map<string, Asker>();

  constructor(private readonly house: Pick<House, "nexus">) {}

  /** Why not; undefined: it answered. */
  async of({ service, id }: Instance, timeoutMs = ANSWER_MS): Promise<string | undefined> {
    const untilMs = performance.now() + timeoutMs;
    for (;;) {
      try {
        await this.#client(service).call(
          "logLevel",
          {},
          { to: id, timeoutMs: Math.max(1, untilMs - performance.now()) },
        );
        return undefined;
      } catch (error) {
        if (!(error instanceof WiringError)) throw error;
        if (error.code !== "NO_INSTANCE" || performance.now() + LOOK_EVERY_MS >= untilMs) return error.message;
        await delay(LOOK_EVERY_MS);
      }
    }
  }

  /** Of those that say that they are ready: why they cannot be reached, by id. */
  async unreachable(instances: readonly Instance[]): Promise<ReadonlyMap<string, string>> {
    const ready = instances.filter(({ state }) => state === "ready");
    const answers = await Promise.all(ready.map(async (it) => [it.id, await this.of(it)] as const));
    return new Map(answers.flatMap(([id, why]) => (why === undefined ? [] : [[id, why] as const])));
  }

  async close(): Promise<void> {
    for (const client of this.#clients.values()) await client.close();
    this.#clients.clear();
  }

  #client(service: string): Asker {
    const known = this.#clients.get(service);
    if (known) return known;
    const client: Asker = this.house.nexus.client(everywhere(service));
    this.#clients.set(service, client);
    return client;
  }
}
