// jobmanager: one in this process, on real daemons, with everything it says written down.
//
//   const seat = await startJobmanager(redis, { daemons: [at(pair.a)], payout: { address: pair.payoutAddress } });
//   await until("a job came", 5_000, () => seat.jobs.length > 0)

import {
  type ConnectionId,
  type Job,
  type JobmanagerContract,
  jobmanager,
  type SubmitBlockReply,
  type WorkerName,
} from "../../lib/contracts/index.js";
import type { Client, InstanceId, MessageOf, OpenedHouse, PushOrigin, Running } from "../../lib/wiring/index.js";
import { metricTable, open } from "../../services/jobmanager/main.js";
import { type DaemonSettings, type Settings, settings } from "../../services/jobmanager/settings.js";
import { atEnd } from "./cleanup.js";
import { openTestHouse } from "./house.js";
import type { Litecoind } from "./litecoind.js";
import type { Solved } from "./mining.js";
import type { RedisServer } from "./redis.js";
import { until } from "./until.js";

export interface Seat {
  readonly house: OpenedHouse;
  readonly running: Running;
  readonly client: Client<JobmanagerContract>;
  /** Its own id; known once it has announced itself. */
  self(): InstanceId;
  /** Pushes of this jobmanager, in order. */
  readonly jobs: Job[];
  readonly blocks: MessageOf<JobmanagerContract, "block">[];
  close(): Promise<void>;
}

/** A daemon's settings, by its cookie. */
export const at = (daemon: Litecoind, name = "a"): DaemonSettings => ({
  name,
  url: daemon.url,
  cookieFile: daemon.cookieFile,
  timeoutMs: 10_000,
});

/** Faster than an operator may set it, so that tests need not wait. */
const PACE = { pollMs: 50, pulseMs: 300, followMs: 100, steadyMs: 0 };

export async function startJobmanager(
  redis: RedisServer,
  chosen: Pick<Settings, "daemons"> & Partial<Settings>,
): Promise<Seat> {
  const house = await openTestHouse(redis, { tables: [metricTable] });
  const plain = settings.parse({ network: "regtest", payout: { script: "51" }, daemons: chosen.daemons });
  const client = house.nexus.client(jobmanager);
  const jobs: Job[] = [];
  const blocks: Seat["blocks"] = [];
  const others = new Set(client.instances().map(({ id }) => id));
  let self: InstanceId | undefined;
  const isOurs = ({ instance: { id } }: PushOrigin): boolean => !others.has(id) && (self ??= id) === id;
  client.subscribe("job", { onMessage: (job, from) => isOurs(from) && jobs.push(job) });
  client.subscribe("block", { onMessage: (block, from) => isOurs(from) && blocks.push(block) });
  const running = await open(house, { ...plain, ...PACE, ...chosen });
  let closing: Promise<void> | undefined;
  const close = (): Promise<void> => {
    closing ??= running.close();
    return closing;
  };
  atEnd(close);
  const id = (): InstanceId => {
    if (self === undefined) throw new Error("this jobmanager has said nothing yet");
    return self;
  };
  return { house, running, client, self: id, jobs, blocks, close };
}

const WORKER = "test.rig" as WorkerName;
const CONNECTION = "test-connection" as ConnectionId;

/** Gives a found block to this very jobmanager. */
export const submit = (seat: Seat, job: Pick<Job, "id">, { header, coinbase }: Solved): Promise<SubmitBlockReply> =>
  seat.client.call(
    "submitBlock",
    { job: job.id, header, coinbase, worker: WORKER, connection: CONNECTION },
    { to: seat.self() },
  );

/** The newest job, once there is one that fits. */
export const jobWhere = (seat: Seat, what: string, fits: (job: Job) => boolean): Promise<Job> =>
  until(`a job came ${what}`, 10_000, () => seat.jobs.findLast(fits));
