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
import type {
  Client,
  House,
  InstanceId,
  MessageOf,
  Nexus,
  OpenedHouse,
  PushOrigin,
  Running,
} from "../../lib/wiring/index.js";
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
  /** Its own id. */
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
  given?: OpenedHouse,
): Promise<Seat> {
  const house = given ?? (await openTestHouse(redis, { tables: [metricTable] }));
  const plain = settings.parse({ network: "regtest", payout: { script: "51" }, daemons: chosen.daemons });
  const client = house.nexus.client(jobmanager);
  const jobs: Job[] = [];
  const blocks: Seat["blocks"] = [];
  let self: InstanceId | undefined;
  const isOurs = ({ instance }: PushOrigin): boolean => instance.id === self;
  client.subscribe("job", { onMessage: (job, from) => isOurs(from) && jobs.push(job) });
  client.subscribe("block", { onMessage: (block, from) => isOurs(from) && blocks.push(block) });
  const running = await open(
    watched(house, (id) => {
      self = id;
    }),
    { ...plain, ...PACE, ...chosen },
  );
  let closing: Promise<void> | undefined;
  const close = (): Promise<void> => {
    closing ??= running.close();
    return closing;
  };
  atEnd(close);
  const id = (): InstanceId => {
    if (self === undefined) throw new Error("this jobmanager is not hosted yet");
    return self;
  };
  return { house, running, client, self: id, jobs, blocks, close };
}

/** A house that tells the id of the instance that is hosted in it. */
function watched(house: House, onHosted: (id: InstanceId) => void): House {
  const { nexus } = house;
  const host: Nexus["host"] = async (contract, implementation, options) => {
    const hosted = await nexus.host(contract, implementation, options);
    onHosted(hosted.instance.id);
    return hosted;
  };
  const { peer } = nexus;
  return {
    ...house,
    nexus: {
      hosted: () => house.nexus.hosted(),
      peer,
      host,
      client: (contract) => nexus.client(contract),
      close: () => nexus.close(),
    },
  };
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
