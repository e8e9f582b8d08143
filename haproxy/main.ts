// main: the controller of one HAProxy, as a service: it keeps HAProxy as it should be and tells everybody how it is.
//
//   edges in discovery --> keepers.ts --\
//   ban, unban (contract haproxy) --> bans.ts --> upkeep.ts --> haproxy.cfg, runtime API        banned --> stratum
//   configuration, when asked to reload -----/
//
// It may be stopped, killed or replaced at any time: HAProxy goes on as it is, and bans end a little later at worst.

import { hostname } from "node:os";
import { edge, haproxy } from "../lib/contracts/index.js";
import type { House, Running } from "../lib/wiring/index.js";
import { Bans } from "./bans.js";
import { Keepers } from "./keepers.js";
import { MemoryFile } from "./memory.js";
import type { HaproxyPaths } from "./paths.js";
import { accepts } from "./probe.js";
import { Report } from "./report.js";
import type { HaproxySettings } from "./settings.js";
import { Upkeep } from "./upkeep.js";

export { metricTable } from "./metrics.js";

/** Between two looks at a HAProxy to which nothing happens. */
const ROUND_EVERY_MS = 1_000;

export interface ControllerOptions {
  readonly paths: HaproxyPaths;
  /** The configuration as it stands in the file now. @throws when it is wrong. */
  reread(): HaproxySettings;
}

/** A controller that runs; `reload` as its contract's method. */
export interface RunningController extends Running {
  reload(): Promise<{ pid: number }>;
}

/** Resolves at once; the instance is `ready` when HAProxy's file stands, which needs a keeper. */
export async function open(
  house: House,
  settings: HaproxySettings,
  { paths, reread }: ControllerOptions,
): Promise<RunningController> {
  const { nexus, log, metrics } = house;
  const file = new MemoryFile(paths.memory, (kept) =>
    log.error({ kept }, "what an earlier controller remembered cannot be read: bans and keepers are learnt again"),
  );
  const remembered = await file.news();
  const bans = new Bans(settings.bans, Date.now, remembered.bans);
  const keepers = new Keepers({
    ...{ host: hostname(), fixed: settings.keepers, remembered: remembered.keepers, goneMs: settings.keeperGoneMs },
    ...{ accepts, nowMs: () => performance.now() },
  });
  const report = new Report(log, metrics);
  const upkeep = new Upkeep(settings, {
    paths,
    wanted: () => keepers.wanted,
    banned: () =>
      bans
        .banned()
        .map(({ address }) => address)
        .sort(),
    reloaded: (outcome) => report.reloaded(outcome),
    changed: (change, server) => report.changed(change, server),
    restored: (file) => report.restored(file),
  });
  const round = async () => {
    await keepers.look();
    bans.merge((await file.news()).bans);
    await upkeep.round();
    await file.write({ keepers: keepers.places, bans: [...bans.remember()] });
    if (upkeep.ready) await announce();
    hosted.describe(report.of(upkeep.view, bans.banned().length));
  };
  const reload = async () => {
    const next = reread();
    const pid = await upkeep.reload(next);
    keepers.fix(next.keepers);
    bans.configure(next.bans);
    await run();
    return { pid };
  };
  const hosted = await nexus.host(
    haproxy,
    {
      status: () => report.status(upkeep.view, bans.banned()),
      async ban({ address, reason, seconds }) {
        const verdict = bans.ban(address, reason, seconds);
        report.banned(address, verdict);
        if (verdict.outcome === "spared") return verdict;
        await run();
        hosted.push("banned", verdict.ban);
        return { outcome: "banned" as const, ...verdict.ban };
      },
      async unban({ address }) {
        const wasBanned = bans.unban(address);
        await run();
        return { wasBanned };
      },
      reload,
    },
    { announce: false, snapshots: { banned: () => [...bans.banned()] } },
  );
  let announced: Promise<void> | undefined;
  const announce = () => (announced ??= hosted.announce());
  const run = inTurns(() => round().catch((error: unknown) => report.failed(error))); // It is tried again every second.
  const edges = nexus.client(edge);
  const unwatch = edges.watch((instances) => {
    keepers.listed(instances);
    void run();
  });
  const timer = setInterval(() => void run(), ROUND_EVERY_MS);
  await run();

  const rest = () => {
    clearInterval(timer);
    unwatch();
  };
  return {
    reload,
    async drain(timeoutMs) {
      rest();
      await hosted.drain(timeoutMs);
    },
    async close() {
      rest();
      await upkeep.close();
      await edges.close();
      await hosted.close();
    },
  };
}

/** One at a time. Calls that come while one runs share the next one. */
function inTurns(act: () => Promise<void>): () => Promise<void> {
  let last = Promise.resolve();
  let next: Promise<void> | undefined;
  return () => {
    next ??= last = last.then(() => {
      next = undefined;
      return act();
    });
    return next;
  };
}
