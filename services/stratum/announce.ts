// Announcing: from when on edges may give this instance their clients.
//
//   open --(registered as `starting`)--> first job in the book --> announce --> edges bring clients
//
//   N1. With a job in hand: no client is ever moved to an instance that has no work for it. One that refuses every job (wrong
//       extranonce sizes, a contract that does not fit) never becomes ready, so whoever started it takes it back.
//   N2. Without any jobmanager, after WORKLESS_MS: clients have to be served, and let go, also when there is no work at all.

import type { JobmanagerContract, StratumContract } from "../../lib/contracts/index.js";
import type { Client, Hosted, Log } from "../../lib/wiring/index.js";
import { pause } from "./wait.js";

/** A jobmanager that is there has told its job by then. */
const WORKLESS_MS = 1_000;
const RETRY_FIRST_MS = 100;
const RETRY_MAX_MS = 2_000;

export interface AnnounceOptions {
  readonly hosted: Pick<Hosted<StratumContract>, "announce">;
  readonly jobmanagers: Pick<Client<JobmanagerContract>, "instances">;
  /** Resolves with the first job. */
  readonly firstJob: Promise<unknown>;
  readonly log: Log;
  /** Aborted when this instance closes. */
  readonly signal: AbortSignal;
}

/** Resolves when announced, or when `signal` is aborted. Never rejects. */
export async function announceWithWork({ hosted, jobmanagers, firstJob, log, signal }: AnnounceOptions): Promise<void> {
  const waited = new AbortController();
  const work = firstJob.then(() => "work" as const).finally(() => waited.abort());
  const wait = AbortSignal.any([signal, waited.signal]);
  for (let found: "work" | "none" | undefined; found === undefined && !signal.aborted; ) {
    found = await Promise.race([work, pause(WORKLESS_MS, wait).then(() => none(jobmanagers))]);
    if (found === "none") log.warn("no jobmanager is there: serving clients without work");
  }
  waited.abort();
  await announce(hosted, log, signal);
}

function none(jobmanagers: AnnounceOptions["jobmanagers"]): "none" | undefined {
  return jobmanagers.instances().some(({ state }) => state === "ready") ? undefined : "none";
}

/** Until it is heard: discovery may be away, and an instance that nobody sees is of no use. */
async function announce(hosted: AnnounceOptions["hosted"], log: Log, signal: AbortSignal): Promise<void> {
  for (let waitMs = RETRY_FIRST_MS; !signal.aborted; waitMs = Math.min(waitMs * 2, RETRY_MAX_MS)) {
    try {
      return await hosted.announce();
    } catch (error) {
      log.warn({ err: error }, "discovery does not take this instance's announcement: trying again");
      await pause(waitMs, signal);
    }
  }
}
