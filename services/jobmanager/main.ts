// jobmanager: opens the parts, joins them, closes them in reverse.
//
//   daemons -> in-work -> push `job`        call `submitBlock` -> out-chain -> daemons, push `block`, reporter
//
// It hosts its service as `starting` and announces itself with its first job: no caller meets a jobmanager without work.

import { type Job, type JobmanagerContract, jobmanager } from "../../lib/contracts/index.js";
import type { Hosted, Implementation, Log, OpenService } from "../../lib/wiring/index.js";
import { backoffMs, pause } from "./backoff.js";
import { watchSeniority } from "./in-seniority.js";
import { Work } from "./in-work.js";
import { Chain } from "./out-chain.js";
import { messageOf } from "./reason.js";
import type { Settings } from "./settings.js";

export { metricTable } from "./metrics.js";
export { settings } from "./settings.js";

/** A daemon that is up answers within milliseconds, so usually the first job is there when `open` resolves; it always resolves. */
const FIRST_JOB_MS = 3_000;
/** Daemons answer every pulseMs each; nobody needs to hear of all of it. */
const PULSE_EVERY_MS = 1_000;
const ANNOUNCE_FIRST_MS = 100;
const ANNOUNCE_MAX_MS = 2_000;

/** Resolves with the first job announced, or after 3 s without one: the daemons are then tried until one gives work. */
export const open: OpenService<Settings> = async (house, settings) => {
  const { log } = house; // No child: its level would stay when the process' level is changed.
  const parts = { house, settings, log };
  let newest: Job | undefined;
  let onFirstJob = (): void => {};
  const firstJob = new Promise<void>((resolve) => {
    onFirstJob = resolve;
  });
  const onJob = (job: Job): void => {
    newest = job;
    hosted.push("job", job);
    onFirstJob();
  };
  let pulsedMs = Number.NEGATIVE_INFINITY;
  const onAnswer = (): void => {
    if (performance.now() - pulsedMs < PULSE_EVERY_MS) return;
    pulsedMs = performance.now();
    hosted.push("pulse", {});
  };
  const work = new Work(parts, onJob, onAnswer);
  const chain = new Chain(parts, work, (message) => hosted.push("block", message));
  const implementation: Implementation<JobmanagerContract> = {
    submitBlock: (request) => chain.submit(request),
    tipChanged: () => {
      work.poke();
      return {};
    },
    status: () => ({ daemons: work.status(), ...(newest ? { job: glance(newest) } : {}) }),
  };
  const snapshots = { job: () => (newest ? [newest] : []) };
  const hosted = await house.nexus.host(jobmanager, implementation, { announce: false, snapshots });
  const closing = new AbortController();
  const announced = firstJob.then(() => announce(hosted, log, closing.signal));
  const jobmanagers = house.nexus.client(jobmanager);
  const unwatch = watchSeniority(jobmanagers, hosted.instance.id, (senior) => {
    work.lead(senior);
    chain.lead(senior);
  });
  work.start();
  chain.start();
  await Promise.race([announced, new Promise((resolve) => setTimeout(resolve, FIRST_JOB_MS).unref())]);

  return {
    drain: async (timeoutMs) => {
      work.stop();
      const end = performance.now() + timeoutMs;
      await hosted.drain(timeoutMs);
      await chain.drain(Math.max(0, end - performance.now()));
    },
    close: async () => {
      closing.abort();
      unwatch();
      await Promise.all([hosted.close(), jobmanagers.close()]);
      await chain.close();
      await work.close();
    },
  };
};

const glance = ({ id, height, time, templateAt }: Job) => ({ id, height, time, templateAt });

/** Until it is heard, or we close: discovery may be away, and a jobmanager that nobody sees is of no use. */
async function announce(hosted: Hosted<JobmanagerContract>, log: Log, signal: AbortSignal): Promise<void> {
  for (let attempt = 0; !signal.aborted; attempt++) {
    try {
      return await hosted.announce();
    } catch (error) {
      log.warn({ reason: messageOf(error) }, "discovery does not take this jobmanager's announcement: trying again");
      await pause(backoffMs(attempt, ANNOUNCE_FIRST_MS, ANNOUNCE_MAX_MS), signal);
    }
  }
}
