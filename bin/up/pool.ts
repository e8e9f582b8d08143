// Pool: one whole pool on this machine, under the process manager, for as long as `headframe up` runs.
//
//   circus.ini (+ demo/embedded.ini) -> Arbiter -> redis, litecoind (embedded) -> jobmanager, reporter, stratum, keeper, haproxy
//
//   When a process serves, and that its death is certified, is the witness' (witness.ts).
//   P1. Whatever fails during the start, everything that was started is stopped again.

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { Arbiter, buildConfig, CIRCUS_INI, type Death, parseIni, readIni } from "../../circus/index.js";
import type { Haproxy } from "../../haproxy/index.js";
import { seenHere } from "../../lib/process-mark.js";
import { type House, type Log, openHouse, Registry } from "../../lib/wiring/index.js";
import { type Config, readConfig } from "../config.js";
import { keepLastKnown } from "../manage/last-known.js";
import { BIN, KEEPER, ROOT, WITNESS } from "../paths.js";
import type { Embedded } from "./embedded.js";
import { prepareHaproxy } from "./front.js";
import { checkDaemons, checkPorts } from "./preflight.js";
import type { RunDirectory } from "./run-directory.js";
import type { ProcessRow } from "./view.js";
import { type Sight, Witness } from "./witness.js";

const EMBEDDED_INI = join(ROOT, "demo", "embedded.ini");
/** Before anything starts somebody watches: a Redis that is not there is said soon. The services wait for as long as is set. */
const REDIS_MS = 2_000;

export interface PoolOptions {
  readonly run: RunDirectory;
  /** Read when the first service is about to start: the embedded default writes it only then. */
  readonly configFile: string;
  readonly overrides: readonly string[];
  /** Instead of the pool's own circus.ini. */
  readonly circusFile: string | undefined;
  readonly embedded: Embedded | undefined;
  readonly log: Log;
  readonly signal: AbortSignal;
  /** A watcher begins to start. */
  onStarting(watcher: string): void;
  onTold(text: string): void;
}

/** `--set a.b=1` as the processes that are started take it: HEADFRAME__a__b=1. */
function asEnvironment(overrides: readonly string[]): Record<string, string> {
  const pairs = overrides.map((override) => {
    const equals = override.indexOf("=");
    return [`HEADFRAME__${override.slice(0, equals).split(".").join("__")}`, override.slice(equals + 1)];
  });
  return Object.fromEntries(pairs);
}

/** What is known once the configuration can be read. */
interface Read extends Sight {
  readonly config: Config;
}

export class Pool {
  #arbiter: Arbiter | undefined;
  #reading: Promise<Read> | undefined;
  readonly #witness = new Witness({
    see: () => this.#read(),
    seen: async () => this.#reading?.catch(() => undefined), // Its failure was reported when it happened.
  });

  #forget: () => void = () => {};

  private constructor(readonly options: PoolOptions) {}

  /** Resolves when every process serves. @throws with the reason, and the last lines of its log, when one does not. */
  static async open(options: PoolOptions): Promise<Pool> {
    const pool = new Pool(options);
    try {
      if (!options.embedded) await pool.#check();
      await pool.#start();
      return pool;
    } catch (error) {
      await pool.close();
      throw error;
    }
  }

  async house(): Promise<House> {
    return (await this.#read()).house;
  }

  async config(): Promise<Config> {
    return (await this.#read()).config;
  }

  /** To reload it, or to ask it. */
  async haproxy(): Promise<Haproxy> {
    return (await this.#read()).haproxy;
  }

  /** Where a browser sees it all; undefined when circus.ini has no dashboard. */
  async dashboard(): Promise<string | undefined> {
    const { registry } = await this.#read();
    return (await registry.list("dashboard")).find(seenHere)?.meta.url;
  }

  processes(): readonly ProcessRow[] {
    return (this.#arbiter?.status() ?? []).flatMap((watcher) =>
      watcher.processes.map((child) => ({
        name: watcher.numprocesses > 1 ? `${watcher.name} ${child.wid}` : watcher.name,
        pid: child.pid,
        state: child.state,
        ageMs: child.ageMs,
        restarts: watcher.restarts,
        note: watcher.gaveUp ?? "",
      })),
    );
  }

  /** Stops everything in reverse order. Safe twice. */
  async close(): Promise<void> {
    const { embedded } = this.options;
    if (embedded) {
      // What asks the daemons first: a long poll holds a daemon's shutdown for a minute.
      const others = this.#arbiter?.inOrder().filter(({ name }) => !embedded.watchers.includes(name)) ?? [];
      for (const watcher of others.reverse()) await watcher.stop();
      await embedded.endLongPolls();
      embedded.close(); // An open connection holds it, too.
    }
    await this.#arbiter?.close();
    this.#forget();
    const read = await this.#reading?.catch(() => undefined); // Its failure was reported when it happened.
    await read?.registry.close();
    await read?.house.close();
  }

  /** Wrong credentials and the like, before anything starts. */
  async #check(): Promise<void> {
    const { config } = await this.#read();
    if (config.jobmanager) await checkDaemons(config.jobmanager, (line) => this.options.onTold(line));
  }

  #read() {
    this.#reading ??= this.#open();
    return this.#reading;
  }

  async #open(): Promise<Read> {
    const { configFile, overrides, run } = this.options;
    const config = readConfig({ config: configFile, set: overrides });
    const haproxy = await prepareHaproxy(config, run);
    const redis = { ...config.house.redis, connectTimeoutMs: Math.min(config.house.redis.connectTimeoutMs, REDIS_MS) };
    const house = await openHouse({ ...config.house, redis, log: { level: "silent", name: "up" } });
    const registry = Registry.open({ redis: house.redis.discovery, cluster: house.cluster, log: house.log });
    this.#forget = keepLastKnown(registry, run.sockets);
    return { config, haproxy, house, registry };
  }

  async #start(): Promise<void> {
    const { run, embedded, log, signal, circusFile, configFile } = this.options;
    const ini = readIni(circusFile ?? CIRCUS_INI);
    if (embedded) parseIni(await readFile(EMBEDDED_INI, "utf8"), EMBEDDED_INI, ini);
    const env = {
      ...process.env,
      ...asEnvironment(this.options.overrides),
      ...embedded?.environment,
      HEADFRAME_NODE: process.execPath,
      HEADFRAME_ROOT: ROOT,
      HEADFRAME_BIN: BIN,
      HEADFRAME_KEEPER: KEEPER,
      HEADFRAME_WITNESS: WITNESS, // Named by circus.ini; the pool is its own.
      HEADFRAME_CONFIG: configFile,
      HEADFRAME_RUN: run.path,
      HEADFRAME_SOCKETS: run.sockets,
      PATH: `${process.env.PATH ?? ""}:/usr/sbin:/sbin`, // Where Debian puts haproxy.
    };
    const config = buildConfig(ini, { env, runDirectory: run.sockets });
    const opens = !embedded && config.watchers.some(({ name }) => name === "haproxy");
    if (opens) await checkPorts((await this.config()).haproxy.listeners);
    this.#arbiter = await Arbiter.open(config, {
      log,
      signal,
      onTrouble: "abort",
      readiness: (watcher, pid, aborted, waitsFor) =>
        embedded?.ready(watcher, aborted) ?? this.#witness.ready(watcher, pid, aborted, waitsFor),
      onDeath: (death) => this.#died(death),
      onOpen: (arbiter) => {
        this.#arbiter = arbiter;
        arbiter.on("event", ({ watcher, topic }) => {
          if (topic === "spawn") this.options.onStarting(watcher);
        });
      },
    });
  }

  async #died(death: Death): Promise<void> {
    const { pid, watcher } = death;
    this.options.onTold(
      `${watcher} (pid ${pid}) ended${death.signal ? ` by ${death.signal}` : ` with code ${death.exitCode}`}`,
    );
    await this.#witness.died(death);
  }
}
