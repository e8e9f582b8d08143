// The stage: a whole pool in its own processes, and around it everything that can be broken.
//
//   RedisProcess <- Network <- Pool (HAProxy, keeper, edge, stratum x 2, jobmanager x 2, reporter x 2) -> DaemonStandIn x 2
//                              half of stratum, jobmanager and reporter: on the Far host      the reporters' spool: on a SpoolDisk
//
// Ends only what it started; opened by run.ts, broken by acts/.

import { readdir, readFile, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { pino } from "pino";
import { stringify } from "smol-toml";
import { Manager } from "../bin/manage/manager.js";
import { RUNS } from "../bin/paths.js";
import { Pool } from "../bin/up/pool.js";
import { createRunDirectory, type RunDirectory } from "../bin/up/run-directory.js";
import { CIRCUS_INI } from "../circus/index.js";
import { freePorts } from "../demo/ports.js";
import type { KeeperLine } from "../lib/contracts/index.js";
import { openLogFile } from "../lib/log/index.js";
import { errorForLog } from "../lib/thrown.js";
import { type Instance, Registry } from "../lib/wiring/index.js";
import { configuration, type Sizes } from "./configuration.js";
import { Chain, DaemonStandIn } from "./daemon.js";
import { SpoolDisk, unmountLeftovers } from "./disk.js";
import { Far } from "./far.js";
import { MetricsFile } from "./metrics.js";
import { Network } from "./network.js";
import { RedisProcess } from "./redis.js";

export interface StageOptions extends Sizes {
  /** Where run directories go. */
  readonly root?: string | undefined;
  /** A far host and a disk for the spool, as far as this machine allows; without them all is on this host and its disk. */
  readonly wide: boolean;
  readonly signal: AbortSignal;
  onTold(text: string): void;
}

/** Two reporters' spools through the longest outage, at a share a second: some 250 bytes each, in either's. */
const DISK_BYTES_MIN = 8 << 20;
const DISK_BYTES_A_CLIENT = 64 * 250 * 2;
/** A narrow link: what the services say to each other without clients, and for each client. */
const NARROW_BYTES = 48_000;
const NARROW_BYTES_A_CLIENT = 400;
const LOOPBACK = "127.0.0.1";

interface Parts {
  readonly run: RunDirectory;
  /** Where clients connect. */
  readonly port: number;
  readonly chain: Chain;
  readonly daemons: readonly DaemonStandIn[];
  readonly redis: RedisProcess;
  readonly network: Network;
  readonly metrics: MetricsFile;
  readonly far: Far | undefined;
  readonly disk: SpoolDisk | undefined;
  /** Kinds of fault that this machine cannot do, and why. */
  readonly lacking: ReadonlyMap<string, string>;
  readonly pool: Pool;
  readonly registry: Registry;
}

export class Stage {
  readonly run: RunDirectory;
  readonly port: number;
  readonly chain: Chain;
  readonly daemons: readonly DaemonStandIn[];
  readonly redis: RedisProcess;
  readonly network: Network;
  readonly metrics: MetricsFile;
  readonly far: Far | undefined;
  readonly disk: SpoolDisk | undefined;
  readonly lacking: ReadonlyMap<string, string>;
  readonly pool: Pool;
  /** The pool's process manager, as commands speak to it. */
  readonly manager: Manager;
  readonly #registry: Registry;
  #redisWellFromMs = Number.NEGATIVE_INFINITY;
  /** Service -> what discovery listed last. */
  readonly #listed = new Map<string, readonly Instance[]>();

  private constructor(
    parts: Parts,
    /** What was opened, in the order in which it is closed. */
    private readonly opened: readonly { close(): Promise<void> }[],
  ) {
    this.run = parts.run;
    this.port = parts.port;
    this.chain = parts.chain;
    this.daemons = parts.daemons;
    this.redis = parts.redis;
    this.network = parts.network;
    this.metrics = parts.metrics;
    this.far = parts.far;
    this.disk = parts.disk;
    this.lacking = parts.lacking;
    this.pool = parts.pool;
    this.#registry = parts.registry;
    this.manager = new Manager(`ipc://${join(parts.run.sockets, "circus.sock")}`);
  }

  /** Resolves when the pool serves. @throws with the reason when a part does not start; nothing is left running then. */
  static async open(options: StageOptions): Promise<Stage> {
    await unmountLeftovers();
    const run = await createRunDirectory(options.root ?? join(RUNS, "chaos"), options.onTold);
    const opened: { close(): Promise<void> }[] = [];
    try {
      return await Stage.#build(options, run, opened);
    } catch (error) {
      for (const it of opened) await it.close();
      throw error;
    }
  }

  static async #build(options: StageOptions, run: RunDirectory, opened: { close(): Promise<void> }[]): Promise<Stage> {
    const keep = <T extends { close(): Promise<void> }>(it: T): T => {
      opened.unshift(it);
      return it;
    };
    const lacking = new Map<string, string>();
    const had = <T extends { close(): Promise<void> }>(it: T | string, ...kinds: string[]): T | undefined => {
      if (typeof it !== "string") return keep(it);
      for (const kind of kinds) lacking.set(kind, it);
      return undefined;
    };
    const { clients, wide, signal, onTold } = options;
    const [redisPort, port] = await freePorts(2);
    const spool = join(run.data, "spool");
    const narrowBytes = NARROW_BYTES + NARROW_BYTES_A_CLIENT * clients;
    const diskBytes = DISK_BYTES_MIN + DISK_BYTES_A_CLIENT * clients;
    const farHost = wide ? await Far.open({ folder: join(run.data, "places"), narrowBytes }) : NOT_WIDE;
    const far = had(farHost, "cut-network", "slow-network");
    const disk = had(wide ? await SpoolDisk.open(spool, diskBytes) : NOT_WIDE, "disk-full");
    const host = far?.near ?? LOOPBACK;
    const chain = new Chain();
    const daemons = [keep(await DaemonStandIn.open(chain, host)), keep(await DaemonStandIn.open(chain, host))];
    const redis = keep(await RedisProcess.open(redisPort, run.data));
    const network = keep(await Network.open(redis.port, host));
    const metrics = keep(await MetricsFile.open(join(run.logs, "metrics.log"), host));
    const places = { host, port, redisPort: network.port, statsdPort: metrics.port, daemons, spool };
    const configFile = join(run.path, "headframe.toml");
    await writeFile(configFile, stringify(configuration(options, places)), { mode: 0o600 });
    const circusFile = far && (await spreadIni(far, run.path));
    const log = pino(
      { name: "chaos", level: "debug", serializers: { err: errorForLog } },
      openLogFile(join(run.logs, "pool.log")),
    );
    const pool = keep(
      await Pool.open({
        ...{ run, configFile, overrides: [], circusFile, embedded: undefined, log, signal, onTold },
        onStarting: () => {},
      }),
    );
    const house = await pool.house();
    const registry = keep(Registry.open({ redis: house.redis.discovery, cluster: house.cluster }));
    const parts = { run, port, chain, daemons, redis, network, metrics, far, disk, lacking, pool, registry };
    return new Stage(parts, opened);
  }

  /** Processes of a watcher that serve; in the order of circus.ini's numbers. */
  ready(watcher: string): number[] {
    return this.pool.processes().flatMap(({ name, pid, state }) => {
      return name.split(" ")[0] === watcher && state === "ready" && pid !== undefined ? [pid] : [];
    });
  }

  get keeper(): number {
    const [pid] = this.ready("keeper");
    if (pid === undefined) throw new Error("the keeper is gone: nothing may end it");
    return pid;
  }

  /** The edges that the keeper runs, whatever they do. */
  async edges(): Promise<number[]> {
    const { keeper } = this;
    const children = await readFile(`/proc/${keeper}/task/${keeper}/children`, "utf8");
    return children.split(" ").filter(Boolean).map(Number);
  }

  /** The one that serves, as the keeper's log tells; undefined: it has just ended. */
  async edge(): Promise<number | undefined> {
    const serving = servingEdge(await this.#keeperLog());
    return (await this.edges()).find((pid) => pid === serving);
  }

  /** Whether this edge could serve at once: the keeper's log says so. */
  async stands(edge: number): Promise<boolean> {
    return (await this.#keeperLog()).some(({ msg, edgePid }) => msg === "edge stands by" && edgePid === edge);
  }

  async #keeperLog(): Promise<KeeperLine[]> {
    const log = await readFile(join(this.run.logs, "keeper.log"), "utf8");
    return log.split("\n").flatMap((text) => readLine(text) ?? []);
  }

  /** What discovery lists; while Redis does not answer, what it listed last. */
  async instances(service: string): Promise<readonly Instance[]> {
    const listed = await this.#registry.list(service).catch(() => undefined);
    if (listed) this.#listed.set(service, listed);
    return this.#listed.get(service) ?? [];
  }

  /** A fault befalls Redis, or is over. */
  redisBroken(broken: boolean): void {
    this.#redisWellFromMs = broken ? Number.POSITIVE_INFINITY : performance.now();
  }

  /** No fault has befallen Redis for so long. */
  redisWellFor(ms: number): boolean {
    return performance.now() - this.#redisWellFromMs >= ms;
  }

  async redisAnswers(): Promise<boolean> {
    return this.#registry.list("stratum").then(
      () => true,
      () => false,
    );
  }

  /** All that is left is logs. */
  async close(): Promise<void> {
    for (const it of this.opened) await it.close();
    await this.run.clear();
  }
}

const NOT_WIDE = "this stage has none";

/** circus.ini and what it includes, in this folder, with the services on both hosts. */
async function spreadIni(far: Far, folder: string): Promise<string> {
  const from = dirname(CIRCUS_INI);
  for (const name of (await readdir(from)).filter((it) => it.endsWith(".ini"))) {
    const ini = far.spread(await readFile(join(from, name), "utf8"));
    await writeFile(join(folder, name), ini, { mode: 0o600 });
  }
  return join(folder, basename(CIRCUS_INI));
}

/** Undefined: an edge's line, or one that is being written. */
function readLine(text: string): KeeperLine | undefined {
  if (!text.includes('"name":"keeper"') || !text.endsWith("}")) return undefined;
  return JSON.parse(text) as KeeperLine;
}

/** The newest edge that was ready to serve: epochs only grow, also from a keeper to its successor. */
function servingEdge(log: readonly KeeperLine[]): number | undefined {
  const pids = new Map<number, number>();
  let serving: number | undefined;
  for (const { msg, epoch, edgePid } of log) {
    if (epoch === undefined) continue;
    if (edgePid !== undefined && msg === "edge started") pids.set(epoch, edgePid);
    if (msg === "edge ready") serving = pids.get(epoch);
  }
  return serving;
}
