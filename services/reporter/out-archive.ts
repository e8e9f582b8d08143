// Archive: share records leave the log only after somebody else has them.
//
//   log (oldest first) --archiveChunk records--> FILE.ndjson --> directory, or a command --taken--> XTRIM MINID
//
//   A1. Records are handed over in order and trimmed only after the archive took them. A file may come twice (we died between
//       taking and trimming, or were too slow and another reporter went on): its name says which records it holds, so the
//       second one equals or overlaps the first by name.
//   A2. Of all reporters one archives at a time: a lease in Redis, renewed for each chunk.
//   A3. A failing archive is tried again at the next look; meanwhile the log grows, at most to logLengthMax (scripts/record).

import { spawn } from "node:child_process";
import { mkdtemp, open, rename, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Log, Metrics } from "../../lib/wiring/index.js";
import { shareKeys } from "./keys.js";
import { makeFolder, syncFolder } from "./out-folder.js";
import type { SharesRedis } from "./out-redis.js";
import { releaseLease, takeLease } from "./scripts/lease.js";
import type { ArchiveSettings, Settings } from "./settings.js";

export interface ArchiverOptions {
  readonly redis: SharesRedis;
  readonly cluster: string;
  readonly settings: Settings;
  readonly log: Log;
  readonly metrics: Metrics;
  /** Names us in the lease. */
  readonly holder: string;
}

/** Longer than a chunk takes; a command may take its timeout more. */
const LEASE_MS = 30_000;
/** Of a failing command's stderr that goes into the log. */
const STDERR_MAX = 2_048;

type Entry = [id: string, fields: string[]];

export class Archiver {
  readonly #keys: ReturnType<typeof shareKeys>;
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> = Promise.resolve();
  #closed = false;
  #failing = false;

  private constructor(private readonly options: ArchiverOptions) {
    this.#keys = shareKeys(options.cluster);
  }

  /** Looks at the log every archiveEveryMs until closed; without an archive it only measures the log. */
  static open(options: ArchiverOptions): Archiver {
    const archiver = new Archiver(options);
    archiver.#schedule();
    return archiver;
  }

  /** Finishes the chunk under way and lets another reporter go on. Safe twice. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#looking;
    const { redis, holder } = this.options;
    // Another reporter need not wait for the lease to run out. With Redis away it does.
    await releaseLease.run(redis, [this.#keys.archiver], [holder]).catch(() => 0);
  }

  #schedule(): void {
    if (this.#closed) return;
    this.#timer = setTimeout(() => {
      this.#looking = this.#look().finally(() => this.#schedule());
    }, this.options.settings.archiveEveryMs);
    this.#timer.unref();
  }

  async #look(): Promise<void> {
    const { redis, settings, metrics, log } = this.options;
    try {
      const length = await redis.xlen(this.#keys.log);
      metrics.gauge("reporter.log.length", length);
      metrics.gauge("reporter.workers", await redis.zcard(this.#keys.workers));
      if (settings.archive) await this.#archive(settings.archive, length - settings.logLength);
      if (this.#failing) log.info("share records are archived again");
      this.#failing = false;
    } catch (error) {
      if (settings.archive) this.#report(error);
    }
  }

  #report(error: unknown): void {
    const { settings, metrics, log } = this.options;
    metrics.count("reporter.archive.failures");
    if (!this.#failing) {
      const limit = { err: error, logLengthMax: settings.logLengthMax };
      log.error(limit, "share records are not archived; the log grows to its limit and then drops its oldest records");
    }
    this.#failing = true;
  }

  async #archive(archive: ArchiveSettings, excess: number): Promise<void> {
    const { redis, settings, metrics } = this.options;
    for (let left = excess; left > 0 && !this.#closed; ) {
      if (!(await this.#lease(archive))) return; // Another reporter does it.
      const entries: Entry[] = await redis.xrange(
        this.#keys.log,
        "-",
        "+",
        "COUNT",
        Math.min(left, settings.archiveChunk),
      );
      const last = entries.at(-1);
      if (!last) return;
      await hand(archive, entries);
      await redis.xtrim(this.#keys.log, "MINID", after(last[0])); // A1
      metrics.count("reporter.archive.records", entries.length);
      left -= entries.length;
    }
  }

  /** A2. */
  async #lease(archive: ArchiveSettings): Promise<boolean> {
    const { redis, holder } = this.options;
    const leaseMs = LEASE_MS + ("timeoutMs" in archive ? archive.timeoutMs : 0);
    return (await takeLease.run(redis, [this.#keys.archiver], [holder, leaseMs])) === 1;
  }
}

/** The smallest id above `id`. */
function after(id: string): string {
  const [ms, sequence] = id.split("-");
  return `${ms}-${BigInt(sequence ?? "0") + 1n}`;
}

/** One record as a line of JSON: the log's fields and the record's id in the log. */
export function toLine([record, fields]: Entry): string {
  const it: Record<string, string | number | boolean> = { record };
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const name = fields[i] ?? "";
    const value = fields[i + 1] ?? "";
    it[name] = NUMBERS.has(name) ? Number(value) : name === "block" ? value === "1" : value;
  }
  return JSON.stringify(it);
}

const NUMBERS: ReadonlySet<string> = new Set(["difficulty", "achieved", "height", "line", "at"]);

/** @throws {Error} when the archive did not take the file. */
async function hand(archive: ArchiveSettings, entries: readonly Entry[]): Promise<void> {
  const name = `shares-${entries[0]?.[0]}-${entries.at(-1)?.[0]}.ndjson`;
  if ("directory" in archive) {
    await makeFolder(archive.directory);
    const hidden = join(archive.directory, `.${name}.part`);
    await write(hidden, entries);
    await rename(hidden, join(archive.directory, name)); // Whole or not at all.
    await syncFolder(archive.directory); // And under its name, after a power cut too: only then may the records leave the log.
    return;
  }
  const directory = await mkdtemp(join(tmpdir(), "headframe-archive-"));
  try {
    await write(join(directory, name), entries);
    await runCommand(archive.command, join(directory, name), archive.timeoutMs);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function write(path: string, entries: readonly Entry[]): Promise<void> {
  const file = await open(path, "w");
  try {
    await file.writeFile(entries.map((entry) => `${toLine(entry)}\n`).join(""));
    await file.sync(); // What is trimmed next must survive a power cut.
  } finally {
    await file.close();
  }
}

/** @throws {Error} when it could not be started, failed, or took longer than `timeoutMs`. Leaves no process and no timer. */
export function runCommand(command: readonly string[], path: string, timeoutMs: number): Promise<void> {
  const [program = "", ...args] = command;
  return new Promise((resolve, reject) => {
    const child = spawn(program, [...args, path], {
      stdio: ["ignore", "ignore", "pipe"],
    });
    // Not spawn's own `timeout`: that runs on when the program could not be started, and would hold the process.
    const late = setTimeout(() => child.kill("SIGKILL"), timeoutMs);
    let said = "";
    child.stderr.on("data", (chunk: Buffer) => {
      if (said.length < STDERR_MAX) said += chunk.toString("utf8").slice(0, STDERR_MAX - said.length);
    });
    child.once("error", (error) => {
      clearTimeout(late);
      reject(new Error(`the archive command ${program} could not be started`, { cause: error }));
    });
    child.once("close", (code, signal) => {
      clearTimeout(late);
      if (code === 0) resolve();
      else reject(new Error(`the archive command ${program} ended with ${signal ?? `code ${code}`}: ${said.trim()}`));
    });
  });
}
