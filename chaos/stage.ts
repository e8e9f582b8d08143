// The stage: a whole pool in its own processes, and around it everything that can be broken.
//
//   RedisProcess <- Network <- Pool (HAProxy, keeper, edge, stratum x 2, jobmanager x 2, reporter) -> DaemonStandIn x 2
//
// Ends only what it started; opened by run.ts, broken by acts.ts.

import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pino } from "pino";
import { stringify } from "smol-toml";
import { RUNS } from "../bin/paths.js";
import { Pool } from "../bin/up/pool.js";
import { createRunDirectory, type RunDirectory } from "../bin/up/run-directory.js";
import { freePorts } from "../demo/ports.js";
import { Chain, DaemonStandIn, STAND_IN_COIN } from "./daemon.js";
import { MetricsFile } from "./metrics.js";
import { Network } from "./network.js";
import { RedisProcess } from "./redis.js";

export interface StageOptions {
  readonly clients: number;
  /** Shares that the log must be able to hold. */
  readonly shares: number;
  /** Where run directories go. */
  readonly root?: string | undefined;
  readonly signal: AbortSignal;
  /** Of stratum, over what the stage has. */
  readonly stratum?: Readonly<Record<string, unknown>>;
  onTold(text: string): void;
}

/** An eighth of 2^32 below Bitcoin's easiest: every hash is a share, so that a client need not search for one. */
const DIFFICULTY = 1e-12;
const CONNECTIONS_SPARE = 1_000;
const LOG_LENGTH_MIN = 1_000;

export class Stage {
  private constructor(
    readonly run: RunDirectory,
    /** Where clients connect. */
    readonly port: number,
    readonly chain: Chain,
    readonly daemons: readonly DaemonStandIn[],
    readonly redis: RedisProcess,
    readonly network: Network,
    readonly metrics: MetricsFile,
    readonly pool: Pool,
  ) {}

  /** Resolves when the pool serves. @throws with the reason when a part does not start; nothing is left running then. */
  static async open(options: StageOptions): Promise<Stage> {
    const run = await createRunDirectory(options.root ?? join(RUNS, "chaos"), options.onTold);
    const [redisPort, port] = await freePorts(2);
    const opened: { close(): Promise<void> }[] = [];
    const keep = <T extends { close(): Promise<void> }>(it: T): T => {
      opened.unshift(it);
      return it;
    };
    try {
      const chain = new Chain();
      const daemons = [keep(await DaemonStandIn.open(chain)), keep(await DaemonStandIn.open(chain))];
      const redis = keep(await RedisProcess.open(redisPort, run.data));
      const network = keep(await Network.open(redis.port));
      const metrics = keep(await MetricsFile.open(join(run.logs, "metrics.log")));
      const configFile = join(run.path, "headframe.toml");
      await writeFile(configFile, stringify(configuration(options, { port, network, daemons, metrics })), {
        mode: 0o600,
      });
      const log = pino({ name: "chaos", level: "debug" }, pino.destination(join(run.logs, "pool.log")));
      const { signal, onTold } = options;
      const pool = keep(
        await Pool.open({
          ...{ run, configFile, overrides: [], circusFile: undefined, embedded: undefined, log, signal, onTold },
          onStarting: () => {},
        }),
      );
      return new Stage(run, port, chain, daemons, redis, network, metrics, pool);
    } catch (error) {
      for (const it of opened) await it.close();
      throw error;
    }
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

  /** The edges that the keeper runs, the one that serves first: it holds the clients, so it has the most open files. */
  async edges(): Promise<number[]> {
    const { keeper } = this;
    const children = await readFile(`/proc/${keeper}/task/${keeper}/children`, "utf8");
    const files = await Promise.all(children.split(" ").filter(Boolean).map(openFiles));
    return files.sort((a, b) => b.count - a.count).map(({ pid }) => pid);
  }

  /** Whether this edge could serve at once: the keeper's log says so. */
  async stands(edge: number): Promise<boolean> {
    const log = await readFile(join(this.run.logs, "keeper.log"), "utf8");
    return new RegExp(`"edge stands by".*"edgePid":${edge}\\b`).test(log);
  }

  /** All that is left is logs. */
  async close(): Promise<void> {
    await this.pool.close();
    await this.metrics.close();
    await this.network.close();
    await this.redis.close();
    for (const daemon of this.daemons) await daemon.close();
    await this.run.clear();
  }
}

async function openFiles(pid: string): Promise<{ pid: number; count: number }> {
  const files = await readdir(`/proc/${pid}/fd`).catch(() => []); // It ended just now.
  return { pid: Number(pid), count: files.length };
}

interface Places {
  readonly port: number;
  readonly network: Network;
  readonly daemons: readonly DaemonStandIn[];
  readonly metrics: MetricsFile;
}

function configuration({ clients, shares, stratum }: StageOptions, { port, network, daemons, metrics }: Places) {
  const many = 2 * clients + CONNECTIONS_SPARE;
  const door = { name: "default", host: "127.0.0.1", port };
  return {
    cluster: "chaos",
    redis: { url: `redis://127.0.0.1:${network.port}` },
    statsd: { host: "127.0.0.1", port: metrics.port },
    jobmanager: {
      coin: STAND_IN_COIN,
      network: "regtest",
      payout: { script: `0014${"00".repeat(20)}` },
      daemons: daemons.map(({ url }, i) => ({ name: `daemon-${i + 1}`, url, user: "chaos", timeoutMs: 2_000 })),
    },
    stratum: {
      listeners: {
        default: {
          difficulty: { start: DIFFICULTY, floor: DIFFICULTY, ceiling: DIFFICULTY },
          vardiff: { enabled: false },
        },
      },
      ...stratum,
    },
    // Nothing is trimmed away: at the end the whole log is compared with what clients were told.
    reporter: { logLength: Math.max(LOG_LENGTH_MIN, 2 * shares), logLengthMax: 4 * Math.max(LOG_LENGTH_MIN, shares) },
    haproxy: {
      connectionsMax: many,
      listeners: [{ ...door, connectionsMax: many, connectionsPerAddress: many, newPer10sPerAddress: 10 * many }],
    },
  };
}
