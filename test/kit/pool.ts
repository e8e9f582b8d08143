// pool: a whole pool in processes of its own, as `headframe up --config FILE` runs it, on a test's Redis and daemons.
//
//   const pool = await startPool({ redis, daemons: [pair.a, pair.b], payoutAddress: pair.payoutAddress });
//   const miner = await startMiner(pool);         // subscribed, authorised, with work
//
// Everything it started ends with the test.

import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { pino } from "pino";
import { stringify } from "smol-toml";
import { Pool } from "../../bin/up/pool.js";
import { createRunDirectory } from "../../bin/up/run-directory.js";
import { CIRCUS_INI } from "../../circus/index.js";
import { StratumClient, type Subscription } from "../../demo/miner/client.js";
import { nextShare } from "../../demo/miner/grind.js";
import type { ProofOfWorkName } from "../../lib/contracts/index.js";
import type { House } from "../../lib/wiring/index.js";
import { atEnd, type Keep } from "./cleanup.js";
import { freePort } from "./ports.js";
import type { RedisServer } from "./redis.js";

export interface PoolOptionsForTest {
  readonly redis: RedisServer;
  readonly daemons: readonly { readonly url: string; readonly cookieFile?: string }[];
  /** Who is paid; default: a script that nobody can spend from. */
  readonly payoutAddress?: string;
  /** Merged over what the test pool has. */
  readonly settings?: Readonly<Record<string, object>>;
  /** With the web dashboard, on a free port. Default: without, since a test of something else need not wait for it. */
  readonly dashboard?: boolean | undefined;
  readonly keep?: Keep | undefined;
}

export interface TestPool {
  readonly port: number;
  readonly house: House;
  readonly configFile: string;
  /** Of its process manager. */
  readonly endpoint: string;
  /** Folder of this run. */
  readonly run: string;
  /** Where the dashboard is, if there is one. */
  dashboard(): Promise<string | undefined>;
  /** Process ids of a watcher of circus.ini. */
  pids(watcher: string): number[];
  close(): Promise<void>;
}

export async function startPool(options: PoolOptionsForTest): Promise<TestPool> {
  const port = await freePort();
  return startHouse(configuration(options, port), { port, dashboard: options.dashboard, keep: options.keep });
}

/** Whatever a file for the process manager describes; default: a pool. */
export async function startHouse(
  settings: Readonly<Record<string, unknown>>,
  options: Pick<PoolOptionsForTest, "dashboard" | "keep"> & { readonly port: number; readonly circusFile?: string },
): Promise<TestPool> {
  const { port } = options;
  const folder = await mkdtemp(join(tmpdir(), "hf-"));
  atEnd(() => rm(folder, { recursive: true, force: true }), options.keep);
  const configFile = join(folder, "headframe.toml");
  await writeFile(configFile, stringify({ runDirectory: folder, ...settings }));
  const run = await createRunDirectory(folder, () => {});
  const circusFile = options.circusFile ?? (options.dashboard ? undefined : await iniWithoutDashboard(folder));
  const options_ = { run, configFile, overrides: [], circusFile, embedded: undefined };
  const quiet = { log: pino({ level: "silent" }), signal: new AbortController().signal };
  const pool = await Pool.open({ ...options_, ...quiet, onStarting: () => {}, onTold: () => {} }).catch(
    async (error) => {
      throw new Error(`the pool did not start; its logs:\n${await readLogs(run.logs)}`, { cause: error });
    },
  );
  atEnd(() => pool.close(), options.keep);
  return {
    port,
    configFile,
    run: run.path,
    dashboard: () => pool.dashboard(),
    endpoint: `ipc://${join(run.sockets, "circus.sock")}`,
    house: await pool.house(),
    pids: (watcher) =>
      pool.processes().flatMap(({ name, pid }) => (name.split(" ")[0] === watcher && pid ? [pid] : [])),
    close: () => pool.close(),
  };
}

function configuration({ redis, daemons, payoutAddress, settings = {} }: PoolOptionsForTest, port: number) {
  const plain: Record<string, object> = {
    redis: { url: redis.url },
    jobmanager: {
      network: "regtest",
      payout: payoutAddress === undefined ? { script: `0014${"00".repeat(20)}` } : { address: payoutAddress },
      daemons: daemons.map(({ url, cookieFile }, i) => ({
        name: `daemon-${i + 1}`,
        url,
        ...(cookieFile === undefined ? { user: "stand-in" } : { cookieFile }),
      })),
    },
    dashboard: { port: 0 },
    haproxy: { connectionsMax: 1_000, listeners: [{ name: "default", host: "127.0.0.1", port }] },
  };
  for (const [section, more] of Object.entries(settings)) plain[section] = { ...plain[section], ...more };
  return plain;
}

async function iniWithoutDashboard(folder: string): Promise<string> {
  const text = await readFile(CIRCUS_INI, "utf8");
  const file = join(folder, "circus.ini");
  const included = text.replace(/^include = /m, `include = ${dirname(CIRCUS_INI)}/`);
  await writeFile(file, included.replace(/^\[watcher:dashboard\][^[]*/m, ""));
  return file;
}

async function readLogs(folder: string): Promise<string> {
  const files = await readdir(folder);
  const texts = await Promise.all(
    files.map(async (file) => `== ${file}\n${await readFile(join(folder, file), "utf8")}`),
  );
  return texts.join("\n").slice(-8_000);
}

/** A scripted miner: finds shares when told to, and remembers what it was answered. */
export class Miner {
  /** Shares that were answered `true`. */
  accepted = 0;
  /** Error codes of the others. */
  readonly refused: number[] = [];
  /** The longest wait for an answer, milliseconds; a test may set it back to 0. */
  slowestMs = 0;
  #nonce = 0;

  private constructor(
    readonly client: StratumClient,
    readonly session: Subscription,
    readonly worker: string,
    readonly proofOfWork: ProofOfWorkName,
  ) {}

  static async start(
    { port, localAddress }: { readonly port: number; readonly localAddress?: string },
    worker: string,
    proofOfWork: ProofOfWorkName = "scrypt",
  ): Promise<Miner> {
    const from = localAddress === undefined ? {} : { localAddress };
    const client = await StratumClient.connect({ host: "127.0.0.1", port, ...from });
    atEnd(() => client.close());
    const session = await client.subscribe("test-miner/1");
    await client.authorize(worker);
    await client.nextWork();
    return new Miner(client, session, worker, proofOfWork);
  }

  /** The next share of the work in hand. */
  async find() {
    const work = await this.client.nextWork();
    const extranonce2 = "00".repeat(this.session.extranonce2Size);
    const share = nextShare(this.proofOfWork, work, this.session.extranonce1, extranonce2, this.#nonce);
    if (!share) throw new Error(`no share of difficulty ${work.difficulty} in a million hashes`);
    this.#nonce = Number.parseInt(share.nonce, 16) + 1;
    return share;
  }

  /** Finds and submits one; true when the pool took it. @throws when the connection ended instead of an answer. */
  async mine(): Promise<boolean> {
    return this.submit(await this.find());
  }

  async submit(share: Awaited<ReturnType<Miner["find"]>>): Promise<boolean> {
    const askedMs = performance.now();
    try {
      await this.client.submit(this.worker, share);
      this.accepted += 1;
      return true;
    } catch (error) {
      if (!(error instanceof Error && "code" in error && typeof error.code === "number")) throw error;
      this.refused.push(error.code);
      return false;
    } finally {
      this.slowestMs = Math.max(this.slowestMs, performance.now() - askedMs);
    }
  }
}
