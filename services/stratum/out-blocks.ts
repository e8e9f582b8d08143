// Blocks on their way to the daemons: at once, beside everything else, and again until a jobmanager took it.
//
//   verify -> candidate -> submit -> jobmanager.submitBlock -> every live daemon
//
//   A jobmanager that did not make the job needs shared state for the rest of the block, and with Redis away it has none: then the
//   others are asked, whose own job it may be, and all of them again until one knows it.
//
//   S3. Nobody's answer waits for this, and this waits for nobody. Submitting twice is harmless: daemons answer `duplicate`.

import type {
  ConnectionId,
  JobmanagerContract,
  SubmitBlockReply,
  SubmitBlockRequest,
  WorkerName,
} from "../../lib/contracts/index.js";
import type { Client, Log } from "../../lib/wiring/index.js";
import type { Blocks } from "./ports.js";
import type { Tally } from "./tally.js";
import type { Candidate } from "./verify.js";
import { pause } from "./wait.js";

/** As long as a job's other half is kept for other jobmanagers; a jobmanager that has the block keeps it longer (`pending`). */
const GIVE_UP_MS = 600_000;
const RETRY_MS = 200;
/** On a toy chain every share is a block: no more than these wait for a daemon at once, the others are dropped with an error. */
const IN_FLIGHT_MAX = 1_024;

export class OutBlocks implements Blocks {
  readonly #inFlight = new Set<Promise<void>>();
  readonly #closing = new AbortController();

  constructor(
    private readonly jobmanager: Pick<Client<JobmanagerContract>, "call" | "instances">,
    private readonly log: Log,
    private readonly tally: Tally,
    private readonly retryMs = RETRY_MS,
  ) {}

  submit(candidate: Candidate, worker: WorkerName, connection: ConnectionId): void {
    if (this.#inFlight.size >= IN_FLIGHT_MAX) {
      this.tally.count("stratum.blocks", 1, ["status", "dropped"]);
      this.log.error(
        { job: candidate.job.id, worker },
        `a block was dropped: ${IN_FLIGHT_MAX} wait for a jobmanager already`,
      );
      return;
    }
    const done = this.#submit(candidate, worker, connection).finally(() => this.#inFlight.delete(done));
    this.#inFlight.add(done);
  }

  /** Resolves when every block that was handed over has its answer, or was given up. */
  async idle(): Promise<void> {
    await Promise.all(this.#inFlight);
  }

  close(): void {
    this.#closing.abort();
  }

  async #submit({ job, header, coinbase }: Candidate, worker: WorkerName, connection: ConnectionId): Promise<void> {
    const request = { job: job.id, header, coinbase, worker, connection };
    const giveUpAt = performance.now() + GIVE_UP_MS;
    while (!this.#closing.signal.aborted) {
      let why: object;
      try {
        const reply = await this.#offer(request);
        if (reply.status !== "unknown_job") {
          this.tally.count("stratum.blocks", 1, ["status", reply.status]);
          this.log.info({ ...reply, worker, job: job.id }, `a block was ${reply.status}`);
          return;
        }
        why = { reason: "no jobmanager has the rest of its job" };
      } catch (error) {
        why = { err: error };
      }
      if (performance.now() > giveUpAt) {
        this.tally.count("stratum.blocks", 1, ["status", "lost"]);
        this.log.error({ ...why, job: job.id, worker }, "a block is lost: no jobmanager took it in time");
        return;
      }
      this.log.warn({ ...why, job: job.id, worker }, "a block waits: no jobmanager took it yet");
      await pause(this.retryMs, this.#closing.signal);
    }
  }

  /** To any jobmanager, and when that one does not know the job, to each. */
  async #offer(request: SubmitBlockRequest): Promise<SubmitBlockReply> {
    let reply = await this.jobmanager.call("submitBlock", request);
    for (const { id } of this.jobmanager.instances()) {
      if (reply.status !== "unknown_job") return reply;
      // One that is gone meanwhile has nothing to say; the others may.
      reply = await this.jobmanager.call("submitBlock", request, { to: id }).catch(() => reply);
    }
    return reply;
  }
}
