// The stratum service: Stratum v1 for the lines that edges bring. Any number of instances, none of them special.
//
//   jobmanagers --job--> in-jobs -> book -> broadcast --------------\
//   edges --events--> in-lines -> sessions, judging --> out-lines ---+--out--> edges
//                                         \-> out-shares -> reporters, out-blocks -> jobmanagers, out-state <-> Redis

import { haproxy, jobmanager, reporter, stratum } from "../../lib/contracts/index.js";
import { JobStore, type OpenService } from "../../lib/wiring/index.js";
import { announceWithWork } from "./announce.js";
import { Broadcast, SWEEP_EVERY_MS } from "./broadcast.js";
import { Conduct } from "./conduct.js";
import { Desk } from "./desk.js";
import { InDoors } from "./in-doors.js";
import { InJobs } from "./in-jobs.js";
import { InLines } from "./in-lines.js";
import { JobBook } from "./jobs.js";
import { pageOfMiners } from "./miners.js";
import { OutBlocks } from "./out-blocks.js";
import { OutDoors } from "./out-doors.js";
import { OutLines } from "./out-lines.js";
import { OutShares } from "./out-shares.js";
import { OutState, TOUCH_EVERY_MS } from "./out-state.js";
import { OutVouchers } from "./out-vouchers.js";
import type { Settings } from "./settings.js";
import { Tally } from "./tally.js";
import { atMost } from "./wait.js";

export { metricTable } from "./metrics.js";
export { type Settings, settings } from "./settings.js";

/** Every live edge has found this instance by then, usually within milliseconds: one that has not is gone. */
const EDGES_MEET_MS = 1_500;
/** A jobmanager that is up has told its job by then; `open` resolves in any case. */
const FIRST_JOB_MS = 3_000;

export const open: OpenService<Settings> = async (house, settings) => {
  const { nexus, log, metrics } = house;
  const tally = new Tally(metrics);
  const book = new JobBook();
  const clients = {
    jobmanager: nexus.client(jobmanager),
    reporter: nexus.client(reporter),
    haproxy: nexus.client(haproxy),
  };

  const out = new OutLines({
    send: (edge, outs) => hosted.pushTo(edge, "out", { outs }),
    onRetry: () => tally.count("stratum.out_retries"),
    onLost: (edge) => lines.edgeLost(edge),
  });
  const shares = new OutShares(clients.reporter, log, tally);
  const blocks = new OutBlocks(clients.jobmanager, log, tally);
  const openedAtMs = performance.now();
  const state = await OutState.open(house, {
    tally,
    extranonce1Size: settings.extranonce1Size,
    isAlive: (edge) =>
      hosted.subscribers("out").includes(edge) || (performance.now() - openedAtMs < EDGES_MEET_MS ? undefined : false),
  });
  const vouchers = new OutVouchers(house.redis.state, house.cluster, settings.conduct.windowMs);
  const doors = new OutDoors({
    ...{ controllers: clients.haproxy, log, tally },
    goodShares: (address) => vouchers.goodShares(address),
  });
  const conduct = new Conduct({
    rules: settings.conduct,
    nowMs: () => performance.now(),
    onGoodShare: (address) => vouchers.goodShare(address),
    onWithdrawn: (address, shares) => vouchers.withdraw(address, shares),
    onOffence: (address, offence) => void doors.report(address, offence),
  });
  const desk = new Desk({
    conduct,
    settings,
    book,
    out,
    shares,
    blocks,
    state,
    log,
    tally,
    jobs: { lookup: (id, connection) => jobs.lookup(id, connection) },
    freshAtMs: () => jobs.freshAtMs,
  });
  const lines = new InLines(desk);
  const bans = new InDoors(clients.haproxy, lines, tally);
  const broadcast = new Broadcast(desk, lines);
  const closing = new AbortController();
  let onFirstJob = (): void => {};
  const firstJob = new Promise<void>((resolve) => {
    onFirstJob = resolve;
  });
  const jobStore = new JobStore(house.redis.state, house.cluster);
  const jobs = new InJobs({
    settings,
    book,
    log,
    tally,
    jobmanager: clients.jobmanager,
    load: (id) => jobStore.load(id),
    onNotice: (offered, maskBefore) => {
      onFirstJob();
      broadcast.announce(offered === "tip", maskBefore);
    },
  });
  const hosted = await nexus.host(
    stratum,
    {
      events: ({ events }, { caller }) => lines.events(events, caller),
      status: () => ({ connections: lines.connections.size, counters: tally.counters() }),
      miners: (request) => {
        const proofOfWork = book.current?.job.proofOfWork;
        return pageOfMiners({ connections: lines.connections, proofOfWork, nowMs: performance.now() }, request);
      },
    },
    { announce: false, onPeerGone: (peer) => lines.edgeGone(peer) },
  );
  const announced = announceWithWork({
    ...{ hosted, jobmanagers: clients.jobmanager, firstJob, log },
    signal: closing.signal,
  });
  const timers = [
    setInterval(() => broadcast.sweep(), SWEEP_EVERY_MS),
    setInterval(() => void lines.touch(state), TOUCH_EVERY_MS),
  ];
  const rest = () => {
    broadcast.quiet();
    for (const timer of timers) clearInterval(timer);
  };

  async function drain(timeoutMs: number): Promise<void> {
    const deadlineMs = performance.now() + timeoutMs;
    closing.abort(); // Nobody is invited any more.
    await hosted.drain(timeoutMs); // Edges give new lines to others from here on; until then everybody hears every job from us.
    rest();
    const done = Promise.all([lines.idle(), blocks.idle(), shares.sendRejects()]);
    await atMost(deadlineMs - performance.now(), done);
    out.flush();
    await state.flush();
  }

  async function close(): Promise<void> {
    closing.abort();
    rest();
    for (const part of [jobs, shares, blocks, bans, vouchers]) part.close();
    out.flush();
    out.close();
    await state.close();
    await hosted.close();
    await Promise.all(Object.values(clients).map((client) => client.close()));
  }

  await atMost(FIRST_JOB_MS, announced);
  let closed: Promise<void> | undefined;
  return {
    drain,
    close() {
      closed ??= close();
      return closed;
    },
  };
};
