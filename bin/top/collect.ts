// One look at the whole pool, by the contracts that every service uses.
//
//   reporter.pool, reporter.workers, jobmanager.status, edge.status, stratum.status, discovery --> Look
//
// What does not answer in time is a trouble in the picture and no failure: top is needed most when something is wrong.

import { jobmanager, reporter } from "../../lib/contracts/index.js";
import { messageOf } from "../../lib/thrown.js";
import { bySeniority, type Client, WiringError } from "../../lib/wiring/index.js";
import { Loads } from "../loads.js";
import type { VisitedHouse } from "../visit.js";
import type { Look } from "./view.js";

const ANSWER_MS = 1_500;
const WORKERS_MAX = 1_000;

export class Collector {
  readonly #jobs: Client<typeof jobmanager>;
  readonly #shares: Client<typeof reporter>;

  readonly #loads: Loads;

  constructor(private readonly house: VisitedHouse) {
    this.#loads = new Loads(house);
    this.#jobs = house.nexus.client(jobmanager);
    this.#shares = house.nexus.client(reporter);
  }

  async look(): Promise<Look> {
    const refused = this.house.redisRefused;
    const troubles: string[] = refused ? [`${refused.message} These are the instances last known.`] : [];
    const options = { timeoutMs: ANSWER_MS };
    const asked = async <T>(what: string, question: Promise<T>): Promise<T | undefined> => {
      try {
        return await question;
      } catch (error) {
        const text = messageOf(error);
        troubles.push(
          error instanceof WiringError && error.code === "NO_INSTANCE" ? `no ${what} runs` : `${what}: ${text}`,
        );
        return undefined;
      }
    };
    const [pool, workers, status, instances] = await Promise.all([
      asked("reporter", this.#shares.call("pool", {}, options)),
      asked("reporter", this.#shares.call("workers", { limit: WORKERS_MAX }, options)),
      asked("jobmanager", this.#jobs.call("status", {}, options)),
      asked("discovery", this.house.list()),
    ]);
    const sorted = [...(instances ?? [])].sort((a, b) => a.service.localeCompare(b.service) || bySeniority(a, b));
    return {
      at: Date.now(),
      ...(pool && { pool }),
      job: status?.job,
      daemons: status?.daemons ?? [],
      workers: workers?.workers ?? [],
      instances: sorted,
      loads: await this.#loads.of(sorted),
      troubles: [...new Set(troubles)],
    };
  }

  async close(): Promise<void> {
    await this.#loads.close();
    await this.#jobs.close();
    await this.#shares.close();
  }
}
