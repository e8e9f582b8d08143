// Manager: the process manager of the pool that runs here, as commands speak to it.
//
//   --endpoint, or the newest run below the run directory, or $HEADFRAME_SOCKETS --> Circus's protocol (circus/client.ts)

import { existsSync, realpathSync } from "node:fs";
import { join } from "node:path";
import type { Options } from "yargs";
import { z } from "zod";
import { CircusCallError, callCircus } from "../../circus/index.js";
import type { Config } from "../config.js";
import { socketFolders } from "./last-known.js";

export const managerOptions = {
  endpoint: {
    type: "string",
    requiresArg: true,
    describe: "Control endpoint of the process manager. Default: that of the pool running in this folder",
  },
} as const satisfies Record<string, Options>;

export const MANAGER_SOCKET = "circus.sock";

const pids = z.object({ pids: z.array(z.number().int()) });
const count = z.object({ numprocesses: z.number().int() });
const state = z.object({ status: z.string() });
const watchers = z.object({ watchers: z.array(z.string()) });
const lines = z.object({ lines: z.record(z.string(), z.array(z.string())) });
const options = z.object({
  options: z.object({
    ready_timeout: z.number().default(30),
    settle: z.number().default(0),
    graceful_timeout: z.number(),
    env: z.record(z.string(), z.string()),
  }),
});
const stats = z.object({ infos: z.record(z.string(), z.record(z.string(), z.unknown())) });
const family = z.object({ children: z.array(z.object({ pid: z.number().int() })) });

/** How long a replacement may take, by the manager's own limits. */
const SLACK_MS = 10_000;

export class Manager {
  constructor(readonly endpoint: string) {}

  async watchers(): Promise<readonly string[]> {
    return watchers.parse(await callCircus(this.endpoint, "list")).watchers;
  }

  /** How many processes a watcher is meant to have; 0: it is stopped. */
  async expected(watcher: string): Promise<number> {
    const { status } = state.parse(await callCircus(this.endpoint, "status", { name: watcher }));
    if (status === "stopped") return 0;
    return count.parse(await callCircus(this.endpoint, "numprocesses", { name: watcher })).numprocesses;
  }

  /** Processes of a watcher, those that are stopping included. @throws {CircusCallError} when there is no such watcher. */
  async pids(watcher: string): Promise<readonly number[]> {
    return pids.parse(await callCircus(this.endpoint, "list", { name: watcher })).pids;
  }

  /** The watcher that has this process, if any has. */
  async ownerOf(pid: number): Promise<string | undefined> {
    for (const watcher of await this.watchers()) if ((await this.pids(watcher)).includes(pid)) return watcher;
    return undefined;
  }

  /** Pids below one process of a watcher. */
  async children(watcher: string, pid: number): Promise<readonly number[]> {
    const { infos } = stats.parse(await callCircus(this.endpoint, "stats"));
    const found = family.safeParse(infos[watcher]?.[pid]);
    return found.success ? found.data.children.map((child) => child.pid) : [];
  }

  /** The last lines that the processes of a watcher said; none when the manager cannot tell. */
  async tail(watcher: string): Promise<readonly string[]> {
    try {
      return Object.values(lines.parse(await callCircus(this.endpoint, "tail", { name: watcher })).lines).flat();
    } catch (error) {
      if (error instanceof CircusCallError) return []; // A real Circus has no such command.
      throw error;
    }
  }

  /** What replacing `count` processes of a watcher takes at most. */
  async patienceMs(watcher: string, count: number): Promise<number> {
    const { ready_timeout, graceful_timeout, settle } = await this.#options(watcher);
    return (count * (ready_timeout + graceful_timeout) + settle) * 1_000 + SLACK_MS;
  }

  /**
   * Replaces the processes of a watcher one by one, or only `pid`; each new one is ready before its old one is stopped.
   *
   * @throws {CircusCallError} with the reason, when a new one is not ready: it was stopped again, the old one stays.
   */
  async reload(watcher: string, change: { readonly pid?: number; readonly options?: object }, timeoutMs: number) {
    await callCircus(this.endpoint, "reload", { name: watcher, waiting: true, ...change }, { timeoutMs });
  }

  /** The whole environment of the watcher with these in it. */
  async environmentWith(watcher: string, more: Readonly<Record<string, string>>): Promise<Record<string, string>> {
    return { ...(await this.#options(watcher)).env, ...more };
  }

  /** Stops one process for good. */
  async retire(watcher: string, pid: number): Promise<void> {
    const timeoutMs = await this.patienceMs(watcher, 1);
    await callCircus(this.endpoint, "decr", { name: watcher, pid, waiting: true }, { timeoutMs });
  }

  async signal(watcher: string, signum: string): Promise<void> {
    await callCircus(this.endpoint, "signal", { name: watcher, signum });
  }

  async #options(watcher: string) {
    return options.parse(await callCircus(this.endpoint, "options", { name: watcher })).options;
  }
}

/** @throws {Error} when no manager is to be found. */
export function findManager(given: string | undefined, config: Config): Manager {
  if (given !== undefined) return new Manager(given);
  const folders = socketFolders(config);
  const folder = folders.find((it) => existsSync(join(it, MANAGER_SOCKET)));
  if (folder === undefined) {
    throw new Error(
      `no process manager runs here: there is no ${MANAGER_SOCKET} in ${folders.join(", ")}. Start a pool (\`headframe up\`), or name its manager with --endpoint`,
    );
  }
  return new Manager(`ipc://${join(realpathSync(folder), MANAGER_SOCKET)}`); // The real path: a unix socket's may not be long.
}
