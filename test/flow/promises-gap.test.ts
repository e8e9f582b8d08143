// J2: what is lost on the way from a jobmanager's process is missed by its number, and mended.

import { expect, test } from "@jest/globals";
import { type Job, jobmanager } from "../../lib/contracts/index.js";
import {
  Directory,
  type Instance,
  memoryDiscovery,
  noMetrics,
  openNexus,
  openSecret,
  quiet,
  Registry,
} from "../../lib/wiring/index.js";
import { atEnd } from "../kit/cleanup.js";
import { holdsPush, startLossyProxy } from "../kit/lossy-proxy.js";
import { startRedis } from "../kit/redis.js";
import { startSharePool } from "../kit/share-pool.js";
import { until } from "../kit/until.js";

const TEST_MS = 60_000;
/** A job is longer, a pulse much shorter. */
const JOB_BYTES_MIN = 200;

test(
  "J2 a job that is lost between two processes is missed at the next one, which asks for a resync and has the newest work",
  async () => {
    const { pool, tip } = await startSharePool(await startRedis());
    const registry = Registry.open({ redis: pool.house.redis.discovery, cluster: pool.house.cluster });
    atEnd(() => registry.close());
    const [maker] = await registry.list("jobmanager");
    if (!maker) throw new Error("no jobmanager runs");
    const proxy = await startLossyProxy(maker.endpoint);
    const { seen, newest } = await listen(maker, proxy.endpoint, pool.house.cluster);
    await until("the snapshot is there", 10_000, () => seen.length > 0);
    tip();
    await until("a first job has a number", 10_000, () => seen.some(({ sequence }) => sequence > 0));
    const before = newest().height;
    let lost = 0;
    proxy.lose = (frame) => lost === 0 && holdsPush(frame, JOB_BYTES_MIN) && ++lost > 0;
    tip();
    await until("a job was lost", 10_000, () => lost === 1);
    expect(newest().height).toBe(before); // Nobody knows yet.
    tip();
    await until("the gap is seen and mended", 10_000, () => seen.some(({ kind }) => kind === "gap"));
    await until("a snapshot came after the gap", 10_000, () => {
      const gap = seen.findIndex(({ kind }) => kind === "gap");
      return seen.slice(gap).some(({ kind }) => kind === "snapshot");
    });
    const gaps = seen.filter(({ kind }) => kind === "gap");
    expect(gaps).toHaveLength(1);
    expect(newest().height).toBe(before + 2);
    tip();
    await until("the stream goes on", 10_000, () => newest().height === before + 3);
    expect(seen.filter(({ kind }) => kind === "gap")).toHaveLength(1);
  },
  TEST_MS,
);

interface Seen {
  readonly kind: "job" | "snapshot" | "gap";
  readonly sequence: number;
}

/** A subscriber in this process, which knows that one jobmanager. */
async function listen(maker: Instance, through: string, cluster: string) {
  const directory = new Directory();
  const nexus = await openNexus({
    ...{ discovery: memoryDiscovery(directory), version: "1", bind: "127.0.0.1", log: quiet, metrics: noMetrics },
    credentials: { cluster, secret: openSecret() },
    dial: () => through,
  });
  atEnd(() => nexus.close());
  directory.put(maker);
  const seen: Seen[] = [];
  let last: Job | undefined;
  nexus.client(jobmanager).subscribe("job", {
    onMessage: (job, { sequence, snapshot }) => {
      last = job;
      seen.push({ kind: snapshot ? "snapshot" : "job", sequence });
    },
    onGap: (_, { received }) => seen.push({ kind: "gap", sequence: received }),
  });
  const newest = (): Job => {
    if (!last) throw new Error("no job has come");
    return last;
  };
  return { seen, newest };
}
