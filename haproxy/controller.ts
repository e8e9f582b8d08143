// controller: everything one does to an HAProxy of ours, except running it (a process manager runs `command`).
//
//   prepare (write, check) --> command line for the process manager --> ready --> reload, ban, figures
//
//   G1. A configuration that HAProxy refuses never replaces one that works: it is checked under another name first.
//   G2. A reload drops nobody: the master starts a new worker on the same sockets, the old one serves its clients to their end.
//   G3. `reload` resolves when the new worker answers, and rejects when the master kept the old one.

import { execFile } from "node:child_process";
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { promisify } from "node:util";
import { messageOf } from "../lib/thrown.js";
import { HaproxyError } from "./errors.js";
import type { HaproxyPaths } from "./paths.js";
import { renderHaproxy } from "./render.js";
import { type HaproxyInfo, HaproxyRuntime, type MasterView, type StatRow } from "./runtime.js";
import type { HaproxySettings, KeeperAddress } from "./settings.js";
import { PEER_NAME } from "./template.js";

const CHECK_MS = 10_000;
const LOOK_MS = 20;
/** Sockets and pipes of HAProxy's own. */
const OWN_FILES = 200;
/** The first line of a server state file: the version of its format. */
const EMPTY_STATE = "1\n";

export class Haproxy {
  readonly runtime: HaproxyRuntime;
  readonly #master: HaproxyRuntime;

  private constructor(
    readonly settings: HaproxySettings,
    readonly paths: HaproxyPaths,
  ) {
    this.runtime = new HaproxyRuntime(paths.stats);
    this.#master = new HaproxyRuntime(paths.master);
  }

  /** One whose files exist already. */
  static at(settings: HaproxySettings, paths: HaproxyPaths): Haproxy {
    return new Haproxy(settings, paths);
  }

  /**
   * Writes all files and has the HAProxy program check them.
   * @throws {HaproxyError} BAD_CONFIG with HAProxy's reasons; NO_PROGRAM.
   */
  static async prepare(
    settings: HaproxySettings,
    keepers: readonly KeeperAddress[],
    paths: HaproxyPaths,
  ): Promise<Haproxy> {
    await mkdir(dirname(paths.config), { recursive: true, mode: 0o700 });
    await createUnlessThere(paths.banned, "");
    await replaceFile(paths.serverState, EMPTY_STATE);
    await checkOpenFiles(settings.connectionsMax);
    const next = nextTo(paths.config);
    await writeFile(next, renderHaproxy(settings, keepers, paths), { mode: 0o600 });
    try {
      await check(settings.program, next);
    } catch (error) {
      await rm(next, { force: true }); // G1
      throw error;
    }
    await rename(next, paths.config);
    return new Haproxy(settings, paths);
  }

  /** In the foreground, master and worker. Reload with SIGUSR2 (or `reload`), stop with SIGTERM (at once) or SIGUSR1 (when all clients left). */
  get command(): readonly string[] {
    const { config, master } = this.paths;
    return [this.settings.program, "-W", "-db", "-f", config, "-S", `${master},mode,600`, "-L", PEER_NAME];
  }

  /** Resolves when it answers. @throws {HaproxyError} TIMEOUT with what was wrong last. */
  async ready(timeoutMs: number, signal?: AbortSignal): Promise<HaproxyInfo> {
    return this.#until(timeoutMs, signal, "be ready", async () => {
      await this.#master.master(); // The master executes itself anew after a start: for a moment, only the worker answers.
      return this.runtime.info();
    });
  }

  /**
   * G2, G3. After `prepare`, when something changed. What operators changed at run time (weights, states of servers) is there
   * afterwards, too. It is saved for this reload only: HAProxy reads the file at every start, and a later one must not bring back
   * what was changed since.
   *
   * @throws {HaproxyError} NOT_RUNNING, or TIMEOUT when the new worker does not come.
   */
  async reload(timeoutMs: number, signal?: AbortSignal): Promise<void> {
    const before = await this.#until(timeoutMs, signal, "answer", () => this.#master.master());
    await this.#saveServerState();
    try {
      process.kill(before.masterPid, "SIGUSR2");
      await this.#until(timeoutMs, signal, "reload", async () => {
        const now = await this.#master.master();
        if (now.worker === undefined || now.worker === before.worker) throw new Error("the old worker still serves");
        const { pid } = await this.runtime.info();
        if (pid !== now.worker) throw new Error("the new worker does not answer yet");
      });
    } finally {
      await replaceFile(this.paths.serverState, EMPTY_STATE);
    }
  }

  info(): Promise<HaproxyInfo> {
    return this.runtime.info();
  }

  /** Its processes. @throws {HaproxyError} NOT_RUNNING */
  masterView(): Promise<MasterView> {
    return this.#master.master();
  }

  stat(): Promise<StatRow[]> {
    return this.runtime.stat();
  }

  /** From now on, also after reloads and restarts. @param address An address or a range, `192.0.2.0/24`. */
  async ban(address: string): Promise<void> {
    await this.runtime.ban(address, this.paths.banned);
    const banned = await this.banned();
    if (!banned.includes(address)) await this.#writeBanned([...banned, address]);
  }

  async unban(address: string): Promise<void> {
    await this.runtime.unban(address, this.paths.banned);
    await this.#writeBanned((await this.banned()).filter((each) => each !== address));
  }

  async banned(): Promise<string[]> {
    return (await readFile(this.paths.banned, "utf8")).split("\n").filter((line) => line !== "");
  }

  /** Makes the file hold exactly these, so that they count from the next start on. @returns whether it did not. */
  async writeBanned(addresses: readonly string[]): Promise<boolean> {
    const before = await this.banned().catch(() => undefined);
    if (before?.join() === addresses.join()) return false;
    await this.#writeBanned(addresses);
    return true;
  }

  /** Makes the running HAProxy refuse exactly these. @throws {HaproxyError} */
  async applyBanned(addresses: readonly string[]): Promise<void> {
    const file = this.paths.banned;
    const now = new Set(await this.runtime.banned(file));
    for (const address of addresses) if (!now.delete(address)) await this.runtime.ban(address, file);
    for (const address of now) await this.runtime.unban(address, file);
  }

  async #writeBanned(addresses: readonly string[]): Promise<void> {
    await replaceFile(this.paths.banned, addresses.map((address) => `${address}\n`).join(""));
  }

  async #saveServerState(): Promise<void> {
    await replaceFile(this.paths.serverState, `${(await this.runtime.command("show servers state")).join("\n")}\n`);
  }

  async #until<T>(
    timeoutMs: number,
    signal: AbortSignal | undefined,
    what: string,
    attempt: () => Promise<T>,
  ): Promise<T> {
    const untilMs = performance.now() + timeoutMs;
    for (;;) {
      try {
        return await attempt();
      } catch (cause) {
        signal?.throwIfAborted();
        if (performance.now() >= untilMs) {
          const reason = messageOf(cause);
          throw new HaproxyError("TIMEOUT", `HAProxy did not ${what} within ${timeoutMs} ms: ${reason}`, { cause });
        }
      }
      await pause(LOOK_MS, undefined, signal ? { signal } : {});
    }
  }
}

async function createUnlessThere(file: string, content: string): Promise<void> {
  try {
    await writeFile(file, content, { mode: 0o600, flag: "wx" });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
}

/** Of this process: another controller may write the same file at the same moment. */
const nextTo = (file: string): string => `${file}.${process.pid}.next`;

/** Readers see the old content or the new one, never half of it; nobody else reads it. */
export async function replaceFile(file: string, content: string): Promise<void> {
  const next = nextTo(file);
  await writeFile(next, content, { mode: 0o600 });
  await rename(next, file);
}

/** HAProxy's own check does not look at this, and a start fails by it. */
async function checkOpenFiles(connectionsMax: number | undefined): Promise<void> {
  const limits = await readFile("/proc/self/limits", "utf8").catch(() => ""); // Not Linux: HAProxy itself will say it.
  const most = Number(/^Max open files\s+\S+\s+(\d+)/m.exec(limits)?.[1] ?? Number.POSITIVE_INFINITY);
  const needed = 2 * (connectionsMax ?? 0) + OWN_FILES;
  if (needed <= most) return;
  throw new HaproxyError(
    "BAD_CONFIG",
    `haproxy.connectionsMax ${connectionsMax} needs ${needed} open files and this system allows ${most}: raise the limit (ulimit -Hn), or set at most ${Math.floor((most - OWN_FILES) / 2)}`,
  );
}

async function check(program: string, config: string): Promise<void> {
  try {
    await promisify(execFile)(program, ["-c", "-f", config, "-L", PEER_NAME], { timeout: CHECK_MS });
  } catch (cause) {
    const { code, stderr = "" } = cause as { code?: unknown; stderr?: string };
    if (typeof code !== "number") {
      const why =
        code === "ENOENT"
          ? "is not there; install the package haproxy, or set haproxy.program"
          : `cannot be run: ${cause}`;
      throw new HaproxyError("NO_PROGRAM", `the program ${program} ${why}`, { cause });
    }
    throw new HaproxyError("BAD_CONFIG", `HAProxy refuses the configuration: ${reasons(stderr).join("; ")}`, { cause });
  }
}

/** HAProxy's alerts without their decoration: `[ALERT] (PID) : config : ` */
function reasons(stderr: string): string[] {
  const alerts = stderr.split("\n").filter((line) => line.startsWith("[ALERT]"));
  const told = alerts.map((line) => line.replace(/^\[ALERT\]\s*\(\d+\)\s*:\s*(config\s*:\s*)?/, "").trim());
  const specific = told.filter((line) => !/^(Error\(s\) found|Fatal errors found)/.test(line));
  return specific.length > 0 ? specific : [stderr.trim() || "it gave no reason"];
}
