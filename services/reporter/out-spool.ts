// The spool: shares and blocks on disk while Redis does not take them, so that miners go on being answered the truth.
//
//   recording.ts --append--> [ files that were taken over ] [ our file ] --next, done--> recording.ts --> Redis
//
//   A miner's share is answered `true` when it stands in Redis or here. What that is worth:
//
//   D1. append() resolves when the record is synced to the disk; what it was answered for survives kill -9, and a power cut
//       as far as the disk keeps its word. A write that did not get through whole was answered to nobody (frames.ts).
//   D2. Nothing is lost with its reporter: its file is an orphan then, and any reporter on this host that uses the folder takes it
//       over, at its start or within ADOPT_EVERY_MS. Nothing counts twice when two work on one file (out-file.ts F3, F5).
//   D3. Records leave in the order in which they came, an older file's first.
//   D4. The same identity is known again while it waits here. Two reporters do not know each other's spools: with Redis away, the
//       same share by two lines may be answered `true` twice, once by each. The log takes the first one, as ever, and the second
//       is counted as reporter.spool.late_duplicates: it earns nothing.
//   D5. Bounded: files together hold at most bytesMax, and memory about as much (each waiting identity is known by name). A full
//       spool, or a full disk, refuses as UNAVAILABLE: the share stays unanswered and its line with the edge.

import { stat } from "node:fs/promises";
import { join } from "node:path";
import { messageOf } from "../../lib/thrown.js";
import { type Log, type Metrics, WiringError } from "../../lib/wiring/index.js";
import { makeFolder } from "./out-folder.js";
import { type Backlog, type Chunk, type CreditedShare, claimOf, type Given, type SpoolRecord } from "./ports.js";
import { type Listed, listSpools, type Place, SpoolFile, SpoolTaken } from "./spool/out-file.js";
import { isAlive, ownName } from "./spool/out-owner.js";

export interface SpoolOptions {
  readonly directory: string;
  readonly bytesMax: number;
  readonly cluster: string;
  readonly log: Log;
  readonly metrics: Metrics;
  /** A file was taken over: there is something to record. */
  onAdopted(): void;
}

/** A folder with a few names, read this often. */
const ADOPT_EVERY_MS = 5_000;
/** Whose owner cannot be looked at, and nothing was added for so long: an orphan as far as we know. */
const STRANGER_IDLE_MS = 60_000;

export class Spool implements Backlog {
  /** Oldest first; ours is the last one. */
  #files: SpoolFile[] = [];
  readonly #claims = new Map<string, string>();
  #appending: Promise<void> = Promise.resolve();
  #given: { chunk: Chunk; file: SpoolFile; through: number } | undefined;
  #timer: NodeJS.Timeout | undefined;
  #adopting: Promise<void> = Promise.resolve();
  #refusing = false;
  /** Names of files that cannot be taken over: each is told of once. */
  #left = new Set<string>();
  #closed = false;

  private constructor(
    private readonly options: SpoolOptions,
    private readonly place: Place,
  ) {}

  /**
   * Makes the folder if need be, and takes over what lies there.
   *
   * @returns undefined when none is configured.
   * @throws {Error} when the folder cannot be used.
   */
  static async open(
    wanted: Omit<SpoolOptions, "directory"> & { directory?: string | undefined },
  ): Promise<Spool | undefined> {
    const { directory, cluster } = wanted;
    if (directory === undefined || wanted.bytesMax === 0) return undefined;
    const options = { ...wanted, directory };
    try {
      await makeFolder(directory, 0o700);
    } catch (error) {
      const why = `the spool's folder cannot be made: ${messageOf(error)}`;
      throw new Error(`${why}. Correct reporter.spool.directory, or set reporter.spool.bytesMax = 0 for none`, {
        cause: error,
      });
    }
    const spool = new Spool(options, { directory, cluster, owner: await ownName() });
    await spool.#adopt();
    spool.#schedule();
    return spool;
  }

  get length(): number {
    return this.#files.reduce((sum, file) => sum + file.length, 0);
  }

  get bytes(): number {
    return this.#files.reduce((sum, file) => sum + file.bytes, 0);
  }

  get oldestAt(): number | undefined {
    return this.#files.find((file) => file.length > 0)?.openedAt;
  }

  claimOf(identity: Uint8Array): string | undefined {
    return this.#claims.get(nameOf(identity));
  }

  append(record: SpoolRecord): Promise<void> {
    const appended = this.#appending.then(() => this.#append(record));
    this.#appending = appended.catch(() => {});
    return appended;
  }

  async next(sharesMax: number): Promise<Chunk | undefined> {
    await this.#clearEmpty();
    for (const file of this.#files) {
      if (file.length === 0) continue;
      const records = await file.read(sharesMax);
      const [first] = records;
      if (first?.record?.kind === "block") {
        return this.#give(file, first.number, { kind: "block", block: first.record.block });
      }
      return this.#sharesOf(file, records);
    }
    return undefined;
  }

  async done(chunk: Chunk): Promise<void> {
    if (this.#given?.chunk !== chunk) return; // Given again since: whoever was slow with it must not drop what followed.
    const { file, through } = this.#given;
    this.#given = undefined;
    file.drop(through);
    for (const { share } of chunk.kind === "shares" ? chunk.shares : []) {
      const name = nameOf(share.identity);
      if (this.#claims.get(name) === claimOf(share)) this.#claims.delete(name);
    }
    await this.#clearEmpty();
    this.#measure();
  }

  /** Leaves what waits to the next reporter on this host. Safe twice. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#adopting;
    await this.#appending;
    for (const file of this.#files.splice(0)) await (file.length > 0 ? file.release() : file.remove());
  }

  async #append(record: SpoolRecord): Promise<void> {
    const { bytesMax, metrics } = this.options;
    if (this.#closed) throw new WiringError("UNAVAILABLE", "this reporter's spool is closed");
    if (this.bytes >= bytesMax) throw this.#refused("full", `it holds its ${bytesMax} bytes (reporter.spool.bytesMax)`);
    const begun = performance.now();
    try {
      await this.#write(record);
    } catch (error) {
      throw this.#refused("disk", messageOf(error), error);
    }
    this.#refusing = false;
    metrics.timing("reporter.spool.write", performance.now() - begun);
    if (record.kind === "shares") {
      metrics.count("reporter.spool.spooled", record.shares.length);
      for (const credited of record.shares) this.#remember(credited);
    }
    this.#measure();
  }

  async #write(record: SpoolRecord): Promise<void> {
    try {
      await (await this.#ourFile()).append(record);
    } catch (error) {
      if (!(error instanceof SpoolTaken)) throw error;
      this.options.log.warn({ err: error }, "another reporter took our spool over; beginning a new one");
      await (await this.#ourFile()).append(record);
    }
  }

  async #ourFile(): Promise<SpoolFile> {
    const last = this.#files.at(-1);
    if (last && !last.sealed) return last;
    const file = await SpoolFile.create(this.place);
    this.#files.push(file);
    return file;
  }

  #refused(why: "full" | "disk", text: string, cause?: unknown): WiringError {
    const { metrics, log, directory } = this.options;
    metrics.count("reporter.spool.refused", 1, { why });
    const message = `the spool in ${directory} takes nothing: ${text}. Shares stay unanswered until Redis is back or there is room`;
    if (!this.#refusing) log.error({ err: cause, why }, message);
    this.#refusing = true;
    return new WiringError("UNAVAILABLE", message, { cause });
  }

  #sharesOf(file: SpoolFile, records: Awaited<ReturnType<SpoolFile["read"]>>): Chunk {
    const shares: CreditedShare[] = [];
    const numbers: number[] = [];
    let through = 0;
    let given: Given | undefined;
    for (const { number, record } of records) {
      if (record?.kind === "block" || (record?.given && through > 0) || given) break; // Its turn comes next.
      given = record?.given;
      through = number;
      if (!record)
        this.#tellLost(file.id, "damaged", "the disk does not give back a record of the spool", { offset: number });
      for (const credited of record?.shares ?? []) {
        shares.push(credited);
        numbers.push(number);
      }
    }
    return this.#give(file, through, { kind: "shares", shares, mark: { spool: file.id, numbers }, given });
  }

  #give(file: SpoolFile, through: number, chunk: Chunk): Chunk {
    this.#given = { chunk, file, through };
    return chunk;
  }

  /** In its turn among the writes: a file may be empty only because its first record is on the way. */
  #clearEmpty(): Promise<void> {
    const cleared = this.#appending.then(async () => {
      const empty = this.#files.filter((file) => file.length === 0);
      this.#files = this.#files.filter((file) => file.length > 0);
      for (const file of empty) await file.remove();
    });
    this.#appending = cleared.catch(() => {});
    return cleared;
  }

  #schedule(): void {
    if (this.#closed) return;
    this.#timer = setTimeout(() => {
      this.#adopting = this.#adopt().finally(() => this.#schedule());
    }, ADOPT_EVERY_MS);
    this.#timer.unref();
  }

  /** D2 */
  async #adopt(): Promise<void> {
    const { log, directory } = this.options;
    try {
      const before = this.#files.length;
      const all = await listSpools(this.place);
      this.#left = new Set(all.map(({ name }) => name).filter((name) => this.#left.has(name)));
      for (const listed of all) {
        if (await this.#isOrphan(listed)) await this.#adoptOne(listed);
      }
      if (this.#files.length > before) this.options.onAdopted();
    } catch (error) {
      log.error({ err: error, directory }, "the spool's folder cannot be looked through for orphans");
    }
    this.#measure();
  }

  async #isOrphan({ name, owner }: Listed): Promise<boolean> {
    if (owner === this.place.owner) return false;
    const alive = owner === undefined ? false : await isAlive(owner);
    if (alive !== undefined) return !alive;
    const { mtimeMs } = await stat(join(this.place.directory, name)).catch(() => ({ mtimeMs: Date.now() })); // Just taken.
    return Date.now() - mtimeMs > STRANGER_IDLE_MS;
  }

  async #adoptOne(listed: Listed): Promise<void> {
    const { log, metrics } = this.options;
    try {
      const file = await SpoolFile.adopt(this.place, listed, (record) => {
        if (record.kind === "shares") for (const credited of record.shares) this.#remember(credited);
      });
      if (!file) return;
      this.#files.push(file);
      this.#files.sort((a, b) => Number(b.sealed) - Number(a.sealed) || a.openedAt - b.openedAt); // D3
      metrics.count("reporter.spool.adopted");
      log.info({ spool: listed.name, shares: file.length }, "took over a spool that its reporter left");
      const { unreadable: bytes, ending } = file;
      const what = ending === "torn" ? "its last write probably did not get through" : "it is damaged";
      if (ending !== "clean" && bytes > 0) this.#tellLost(file.id, ending, what, { bytes });
    } catch (error) {
      if (this.#left.has(listed.name)) return;
      this.#left.add(listed.name);
      log.error(
        { err: error, spool: listed.name, directory: this.place.directory },
        "a spool cannot be read; it stays",
      );
    }
  }

  /** F6 of out-file.ts */
  #tellLost(spool: string, ending: "torn" | "damaged", what: string, more: object): void {
    const { log, metrics, directory } = this.options;
    metrics.count("reporter.spool.unreadable", 1, { ending });
    const level = ending === "torn" ? "warn" : "error";
    const where = `${this.place.cluster}.${spool}.${ending}`;
    log[level]({ spool, directory, ...more }, `${what}: what cannot be read is kept as ${where}; the rest is recorded`);
  }

  #remember({ share }: CreditedShare): void {
    const name = nameOf(share.identity);
    if (!this.#claims.has(name)) this.#claims.set(name, claimOf(share));
  }

  #measure(): void {
    this.options.metrics.gauge("reporter.spool.left", this.#left.size);
    this.options.metrics.gauge("reporter.spool.length", this.length);
    this.options.metrics.gauge("reporter.spool.bytes", this.bytes);
  }
}

/** Half of an identity names it: 128 bits do not collide by chance, and cost half of the memory. */
const nameOf = (identity: Uint8Array): string =>
  Buffer.from(identity.buffer, identity.byteOffset, identity.byteLength >> 1).toString("latin1");
