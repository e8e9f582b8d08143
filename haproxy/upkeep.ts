// upkeep: keeps one HAProxy as it should be: its file, its template, its servers, its banned addresses.
//
//   settings, keepers, bans --(every second, and at every change)--> round: file -> reload if it must -> servers -> bans
//
//   U1. Each round compares what is with what should be, and mends the difference. So HAProxy may be restarted, reloaded or changed
//       by anybody at any time: nothing has to be told to this process. A server that an operator put into maintenance or drain
//       stays so until the operator, or a restart of HAProxy, ends it.
//   U2. The file always holds all keepers and bans: what was added at run time is there after a reload or a restart, too.
//   U3. A reload happens when the template changed, or when somebody asks for it: never for a keeper or a ban.
//   U4. Rounds take turns; a round that fails says why, once, and the next one tries again.

import { readFile } from "node:fs/promises";
import { messageOf } from "../lib/thrown.js";
import { Haproxy } from "./controller.js";
import { HaproxyError } from "./errors.js";
import type { HaproxyPaths } from "./paths.js";
import {
  addingCommands,
  KEEPERS_BACKEND,
  removingCommands,
  renderHaproxy,
  templateMark,
  templateMarkIn,
} from "./render.js";
import type { HaproxyInfo, StatRow } from "./runtime.js";
import type { HaproxySettings, KeeperAddress } from "./settings.js";

const RELOAD_MS = 10_000;
/** A reload that changes nothing (another file is used?) is not tried again for this long. */
const RELOAD_PAUSE_MS = 60_000;

export interface UpkeepParts {
  readonly paths: HaproxyPaths;
  wanted(): readonly KeeperAddress[];
  /** Addresses to be refused. */
  banned(): readonly string[];
  reloaded(outcome: "ok" | "failed"): void;
  changed(change: "added" | "removed", server: string): void;
  /** Somebody else removed or edited haproxy.cfg; it is written again. */
  restored(file: string): void;
}

/** What the last round found. */
export interface View {
  readonly info: HaproxyInfo | undefined;
  readonly oldWorkers: number;
  readonly sessions: number;
  readonly servers: readonly { readonly name: string; readonly status: string; readonly sessions: number }[];
  readonly problem: string | undefined;
}

const NOTHING: View = { info: undefined, oldWorkers: 0, sessions: 0, servers: [], problem: undefined };

export class Upkeep {
  readonly #parts: UpkeepParts;
  #haproxy: Haproxy;
  #view: View = NOTHING;
  #turn: Promise<unknown> = Promise.resolve();
  /** The configuration that this process wrote last, or found in the file as it should be. */
  #written: string | undefined;
  /** Servers that this process put into maintenance to remove them. Any other one in maintenance is the operator's. */
  readonly #removing = new Set<string>();
  #noReloadBeforeMs = 0;
  #noRestoreBeforeMs = 0;
  #closed = false;

  constructor(settings: HaproxySettings, parts: UpkeepParts) {
    this.#parts = parts;
    this.#haproxy = Haproxy.at(settings, parts.paths);
  }

  get view(): View {
    return this.#view;
  }

  get settings(): HaproxySettings {
    return this.#haproxy.settings;
  }

  /** True: HAProxy can be started, or is. */
  get ready(): boolean {
    return this.#written !== undefined;
  }

  /** Never rejects: the view says what went wrong. */
  round(): Promise<void> {
    return this.#next(async () => {
      this.#view = await this.#round();
    });
  }

  /**
   * Takes new settings and reloads, even if nothing changed. Resolves with the new worker's pid.
   *
   * @throws {HaproxyError} BAD_CONFIG: HAProxy refuses them, the old ones stay. NOT_RUNNING: they count from its next start on.
   */
  reload(settings: HaproxySettings): Promise<number> {
    return this.#next(async () => {
      this.#haproxy = await Haproxy.prepare(settings, this.#parts.wanted(), this.#parts.paths);
      this.#written = this.#rendered();
      await this.#haproxy.writeBanned(this.#parts.banned());
      await this.#haproxy.info();
      await this.#reload();
      return (await this.#haproxy.info()).pid;
    });
  }

  /** No further round begins; resolves when the last one is over. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#turn;
  }

  /** U4 */
  #next<T>(act: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(act);
    this.#turn = done.catch(() => {});
    return done;
  }

  async #round(): Promise<View> {
    if (this.#closed || this.#parts.wanted().length === 0) return this.#told("no edge has told of a keeper yet");
    try {
      await this.#write();
      const info = await this.#haproxy.info();
      if (info.mark !== templateMark(this.settings, this.#parts.paths)) await this.#reloadDue();
      const rows = await this.#haproxy.stat();
      await this.#serve(rows);
      await this.#haproxy.applyBanned(this.#parts.banned());
      return await this.#look(undefined);
    } catch (error) {
      if (error instanceof HaproxyError && error.code === "NOT_RUNNING") return this.#told("HAProxy is not running");
      const problem = messageOf(error);
      return this.#look(problem).catch(() => this.#told(problem));
    }
  }

  #told(problem: string): View {
    return { ...NOTHING, problem };
  }

  /** U2 */
  async #write(): Promise<void> {
    const { paths, wanted, banned } = this.#parts;
    const text = this.#rendered();
    const there = await readFile(paths.config, "utf8").catch(() => undefined);
    if (there !== text) {
      if (this.#written === text) this.#restore(there);
      await Haproxy.prepare(this.settings, wanted(), paths);
    }
    this.#written = text;
    await this.#haproxy.writeBanned(banned());
  }

  /**
   * The file is not as this process wrote it. Another controller with other settings would write it back at once, and both would
   * reload HAProxy for ever: so a file of another template is replaced once in a while only.
   */
  #restore(there: string | undefined): void {
    const { config } = this.#parts.paths;
    const other = there === undefined ? undefined : templateMarkIn(there);
    if (other !== undefined && other !== templateMark(this.settings, this.#parts.paths)) {
      if (performance.now() < this.#noRestoreBeforeMs) {
        throw new HaproxyError(
          "BAD_CONFIG",
          `another controller, with other settings, writes ${config}: stop one of the two`,
        );
      }
      this.#noRestoreBeforeMs = performance.now() + RELOAD_PAUSE_MS;
    }
    this.#parts.restored(config);
  }

  #rendered(): string {
    return renderHaproxy(this.settings, this.#parts.wanted(), this.#parts.paths);
  }

  /** U3 */
  async #reloadDue(): Promise<void> {
    if (performance.now() < this.#noReloadBeforeMs) {
      throw new HaproxyError(
        "BAD_CONFIG",
        `the running HAProxy does not use ${this.#parts.paths.config}: start it with that file`,
      );
    }
    this.#noReloadBeforeMs = performance.now() + RELOAD_PAUSE_MS;
    await this.#reload();
    const { mark } = await this.#haproxy.info();
    if (mark === templateMark(this.settings, this.#parts.paths)) this.#noReloadBeforeMs = 0;
  }

  async #reload(): Promise<void> {
    try {
      await this.#haproxy.reload(RELOAD_MS);
      this.#parts.reloaded("ok");
    } catch (error) {
      this.#parts.reloaded("failed");
      throw error;
    }
  }

  /** U1: of the backend's servers. */
  async #serve(rows: readonly StatRow[]): Promise<void> {
    const there = new Set(serversOf(rows).map(({ name }) => name));
    for (const keeper of this.#parts.wanted()) {
      const isThere = there.delete(keeper.name);
      if (isThere && !this.#removing.has(keeper.name)) continue;
      const [add = "", ...enable] = addingCommands(keeper);
      await this.#haproxy.runtime.command(...(isThere ? enable : [add, ...enable]));
      this.#removing.delete(keeper.name);
      this.#parts.changed("added", keeper.name);
    }
    for (const name of there) {
      this.#removing.add(name);
      await this.#haproxy.runtime.command(...removingCommands(name));
      this.#removing.delete(name);
      this.#parts.changed("removed", name);
    }
  }

  async #look(problem: string | undefined): Promise<View> {
    const [info, rows, { oldWorkers }] = await Promise.all([
      this.#haproxy.info(),
      this.#haproxy.stat(),
      this.#haproxy.masterView(),
    ]);
    return { info, oldWorkers: oldWorkers.length, sessions: sessionsOf(rows), servers: serversOf(rows), problem };
  }
}

function serversOf(rows: readonly StatRow[]): View["servers"] {
  return rows
    .filter(({ pxname, svname }) => pxname === KEEPERS_BACKEND && svname !== "BACKEND")
    .map(({ svname = "", status = "", scur }) => ({ name: svname, status, sessions: Number(scur ?? 0) }));
}

/** Of all listeners. */
function sessionsOf(rows: readonly StatRow[]): number {
  const frontends = rows.filter(({ svname, pxname }) => svname === "FRONTEND" && pxname?.startsWith("from_"));
  return frontends.reduce((sum, { scur }) => sum + Number(scur ?? 0), 0);
}
