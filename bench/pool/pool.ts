// A whole pool for a benchmark: every process as `headframe up --config` runs them, on a Redis and a daemon of the run's own.
//
//   miners (miners.ts) -> HAProxy, or straight to the keeper's socket -> edge -> stratum x 2 -> reporter x 2 -> Redis

import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { stringify } from "smol-toml";
import { MANAGER_SOCKET, Manager } from "../../bin/manage/manager.js";
import { RUNS } from "../../bin/paths.js";
import { Pool } from "../../bin/up/pool.js";
import { createRunDirectory, type RunDirectory } from "../../bin/up/run-directory.js";
import { RedisProcess } from "../../chaos/redis.js";
import { freePorts } from "../../demo/ports.js";
import { type House, quiet } from "../../lib/wiring/index.js";
import { BenchDaemon } from "./daemon.js";

const COIN = {
  name: "bench",
  proofOfWork: "sha256d",
  rules: ["segwit"],
  chain: "regtest",
  address: { publicKeyHash: [111] },
};
/** So easy that every hash is a share: nobody needs to search for one. */
const DIFFICULTY = 1e-12;
const PAGE_BYTES = 4_096;
const TICKS_PER_SECOND = 100;
const LOG_LENGTH = 1_000_000;
/** HAProxy needs two files a client, and some of its own. */
const FILES_OF_HAPROXY = 400;
const DESCRIPTORS_FALLBACK = 4_096;

export interface ProcessUsage {
  readonly rssBytes: number;
  readonly cpuUs: number;
}

export class BenchPool {
  private constructor(
    readonly run: RunDirectory,
    readonly port: number,
    /** Clients that HAProxy can hold here. */
    readonly haproxyMax: number,
    readonly daemon: BenchDaemon,
    readonly redis: RedisProcess,
    readonly pool: Pool,
    readonly house: House,
  ) {}

  /** @param options.transactions Of every template. */
  static async open(options: {
    readonly clients: number;
    readonly transactions: number;
    readonly signal: AbortSignal;
  }): Promise<BenchPool> {
    const run = await createRunDirectory(join(RUNS, "bench"), () => {});
    const opened: { close(): Promise<void> }[] = [];
    const keep = <T extends { close(): Promise<void> }>(it: T): T => {
      opened.unshift(it);
      return it;
    };
    try {
      const [redisPort, port] = await freePorts(2);
      const daemon = keep(await BenchDaemon.open());
      daemon.transactions = options.transactions;
      const redis = keep(await RedisProcess.open(redisPort, run.data, "everysec")); // As `headframe up` has it.
      const haproxyMax = Math.min(options.clients, Math.floor((await descriptors()) / 2) - FILES_OF_HAPROXY);
      const configFile = join(run.path, "headframe.toml");
      await writeFile(configFile, stringify(configuration({ port, redis, daemon, clients: haproxyMax })), {
        mode: 0o600,
      });
      const plain = {
        overrides: [],
        circusFile: undefined,
        embedded: undefined,
        onStarting: () => {},
        onTold: () => {},
      };
      const pool = keep(await Pool.open({ ...plain, run, configFile, log: quiet, signal: options.signal }));
      return new BenchPool(run, port, haproxyMax, daemon, redis, pool, await pool.house());
    } catch (error) {
      for (const it of opened) await it.close();
      throw error;
    }
  }

  /** HAProxy excluded: whoever connects must begin with a PROXY header. */
  get keeperPath(): string {
    return join(this.run.sockets, "keeper.sock");
  }

  /** By what they do; the keeper's children are edges. */
  async pids(): Promise<Record<string, number[]>> {
    const pids: Record<string, number[]> = {};
    for (const { name, pid } of this.pool.processes()) {
      const [watcher = name] = name.split(" ");
      if (pid !== undefined) pids[watcher] = [...(pids[watcher] ?? []), pid];
    }
    const [[keeper = 0] = [], [haproxy = 0] = []] = [pids.keeper, pids.haproxy];
    pids.edge = await childrenOf(keeper);
    pids.haproxy = [haproxy, ...(await childrenOf(haproxy))]; // A master, and the worker that does all.
    return pids;
  }

  /** Of all processes of these kinds together. */
  async usage(...kinds: readonly string[]): Promise<ProcessUsage> {
    const pids = await this.pids();
    const all = await Promise.all(kinds.flatMap((kind) => pids[kind] ?? []).map(usageOf));
    return {
      rssBytes: all.reduce((sum, { rssBytes }) => sum + rssBytes, 0),
      cpuUs: all.reduce((sum, { cpuUs }) => sum + cpuUs, 0),
    };
  }

  /** One instance fewer: drained, as `headframe drain` does it. */
  async retire(watcher: string): Promise<void> {
    const manager = new Manager(`ipc://${join(this.run.sockets, MANAGER_SOCKET)}`);
    const [pid] = await manager.pids(watcher);
    if (pid === undefined) throw new Error(`there is no ${watcher} to retire`);
    await manager.retire(watcher, pid);
  }

  async close(): Promise<void> {
    await this.pool.close();
    await this.redis.close();
    await this.daemon.close();
    await this.run.clear();
  }
}

export async function usageOf(pid: number): Promise<ProcessUsage> {
  const [statm, stat] = await Promise.all([
    readFile(`/proc/${pid}/statm`, "utf8"),
    readFile(`/proc/${pid}/stat`, "utf8"),
  ]);
  // Behind the name in brackets, which may hold spaces: utime and stime are fields 14 and 15 of all.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const ticks = Number(fields[11]) + Number(fields[12]);
  return { rssBytes: Number(statm.split(" ")[1]) * PAGE_BYTES, cpuUs: (1e6 * ticks) / TICKS_PER_SECOND };
}

async function childrenOf(pid: number): Promise<number[]> {
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, "utf8");
  return children.split(" ").filter(Boolean).map(Number);
}

async function descriptors(): Promise<number> {
  const limits = await readFile("/proc/self/limits", "utf8");
  const [, , hard] = /Max open files\s+(\d+)\s+(\d+)/.exec(limits) ?? [];
  return Number(hard ?? DESCRIPTORS_FALLBACK);
}

interface Places {
  readonly port: number;
  readonly redis: RedisProcess;
  readonly daemon: BenchDaemon;
  readonly clients: number;
}

function configuration({ port, redis, daemon, clients }: Places) {
  const door = { name: "default", host: "127.0.0.1", port };
  return {
    cluster: "bench",
    redis: { url: redis.url },
    jobmanager: {
      coin: COIN,
      network: "regtest",
      payout: { script: `0014${"00".repeat(20)}` },
      daemons: [{ name: "daemon", url: daemon.url, user: "bench", timeoutMs: 5_000 }],
    },
    stratum: {
      listeners: {
        default: {
          difficulty: { start: DIFFICULTY, floor: DIFFICULTY, ceiling: DIFFICULTY },
          vardiff: { enabled: false },
        },
      },
      authorizeTimeoutMs: 600_000,
    },
    reporter: { logLength: LOG_LENGTH, logLengthMax: 2 * LOG_LENGTH },
    haproxy: {
      connectionsMax: clients,
      listeners: [
        { ...door, connectionsMax: clients, connectionsPerAddress: clients, newPer10sPerAddress: 10 * clients },
      ],
    },
  };
}
