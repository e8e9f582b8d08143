// One file of the spool: records are added at its end and leave at its front, and it is gone when it is empty.
//
//   CLUSTER.ID.OWNER.spool:   heading | record | record | record ...          F1, F2: frames.ts
//                                        ^ next to be recorded   ^ end: only ever added to
//
//   F3. Whoever takes a file over renames it first. So an owner that finds its file under its name after a write was synced
//       knows that any later taker reads that write; one that does not find it (SpoolTaken) has promised nothing and begins
//       another file. Hence a wrong guess about an owner's life costs nothing.
//   F4. A file that failed to take a write is never written again: what its end holds is not known for sure.
//   F5. What leaves at the front stays on disk until the file is gone; Redis knows how far it was recorded (scripts/record), by the
//       places of records in the file: a damaged one gives its neighbours no other number.
//   F6. What cannot be read is skipped, and kept when the file goes: as CLUSTER.ID.damaged, or .torn for an end that looks like a write
//       that did not get through. Each holds no more than its spool did. Nobody reads them but people.

import { randomBytes } from "node:crypto";
import { type FileHandle, open, readdir, rename, stat, unlink } from "node:fs/promises";
import { join } from "node:path";
import { syncFolder } from "../out-folder.js";
import type { SpoolRecord } from "../ports.js";
import { type Ending, type Found, FrameReader, frame, type Range } from "./frames.js";
import { isLikelyRecord, packHeading, packRecord, unpackHeading, unpackRecord } from "./record.js";

/** Another process took this file over. */
export class SpoolTaken extends Error {
  override readonly name = "SpoolTaken";
}

export interface Place {
  readonly directory: string;
  readonly cluster: string;
  /** In the names of our files. */
  readonly owner: string;
}

/** Its offset is its number (F5). */
interface Entry extends Range {
  /** Shares in it; a block counts as one. */
  readonly size: number;
}

/** A name that nobody owns: closed in good order. */
const FREE = "free";
const NAME = /^(.+)\.([0-9a-f]{16})\.([\d-]+|free)\.spool$/;

export class SpoolFile {
  readonly #waiting: Entry[] = [];
  #length = 0;
  #sealed = false;
  #ending: Ending = "clean";
  /** F6 */
  readonly #unreadable: Range[] = [];
  #openedAt = Date.now();

  private constructor(
    private readonly place: Place,
    private readonly handle: FileHandle,
    private readonly inode: bigint,
    readonly id: string,
    private size: number,
  ) {}

  /** A fresh one, whose name survives a power cut. @throws {Error} the disk's. */
  static async create(place: Place): Promise<SpoolFile> {
    const id = randomBytes(8).toString("hex");
    const path = join(place.directory, nameOf(place.cluster, id, place.owner));
    const handle = await open(path, "wx+", 0o600);
    try {
      const heading = frame(packHeading({ id, cluster: place.cluster, openedAt: Date.now() }));
      await writeAll(handle, heading, 0);
      await handle.sync();
      await syncFolder(place.directory);
      const { ino } = await handle.stat({ bigint: true });
      return new SpoolFile(place, handle, ino, id, heading.length);
    } catch (error) {
      await handle.close().catch(() => {});
      await unlink(path).catch(() => {}); // It holds nothing.
      throw error;
    }
  }

  /**
   * Takes a file over and reads what it holds; nothing can be added to it. One that cannot be read is left as it is.
   *
   * @returns undefined when somebody else was faster.
   * @throws {UnknownVersion} @throws {Error} the disk's, or when it is no spool.
   */
  static async adopt(
    place: Place,
    { name, id }: Listed,
    onRecord: (record: SpoolRecord) => void,
  ): Promise<SpoolFile | undefined> {
    const handle = await open(join(place.directory, name), "r").catch(ignoreMissing);
    if (!handle) return undefined;
    try {
      const openedAt = await readHeading(handle);
      await rename(join(place.directory, name), join(place.directory, nameOf(place.cluster, id, place.owner))); // F3
      const { ino, size } = await handle.stat({ bigint: true });
      const file = new SpoolFile(place, handle, ino, id, Number(size));
      file.#openedAt = openedAt;
      await file.#load(onRecord);
      return file;
    } catch (error) {
      await handle.close();
      return ignoreMissing(error);
    }
  }

  /** Shares and blocks that wait. */
  get length(): number {
    return this.#length;
  }

  get bytes(): number {
    return this.size;
  }

  /** Wall clock, ms. */
  get openedAt(): number {
    return this.#openedAt;
  }

  /** How it ended when it was taken over; `damaged` also when a record cannot be read back. */
  get ending(): Ending {
    return this.#ending;
  }

  /** Bytes that cannot be read (F6). */
  get unreadable(): number {
    return this.#unreadable.reduce((sum, { length }) => sum + length, 0);
  }

  /** Nothing more can be added (F4). */
  get sealed(): boolean {
    return this.#sealed;
  }

  /** Resolves when it is safe on disk and ours (F3). @throws {SpoolTaken} @throws {Error} the disk's. */
  async append(record: SpoolRecord): Promise<void> {
    const bytes = frame(packRecord(record));
    const offset = this.size;
    try {
      await writeAll(this.handle, bytes, offset);
      await this.handle.datasync();
      await this.#mustBeOurs();
    } catch (error) {
      this.#sealed = true; // F4
      await this.handle.truncate(offset).catch(() => {}); // Gives a full disk its bytes back.
      throw error;
    }
    this.size += bytes.length;
    this.#enter(offset, bytes.length, record);
  }

  /** The oldest records, at least one, more up to sharesMax shares; undefined for one that the disk does not give back. */
  async read(sharesMax: number): Promise<{ readonly number: number; readonly record: SpoolRecord | undefined }[]> {
    const read = [];
    for (const entry of this.#first(sharesMax)) read.push({ number: entry.offset, record: await this.#readOne(entry) });
    return read;
  }

  /** Everything up to this record is recorded, or lost. Named by number: whoever was slow may find some of it gone already. */
  drop(through: number): void {
    const later = this.#waiting.findIndex(({ offset }) => offset > through);
    const count = later < 0 ? this.#waiting.length : later;
    for (const { size } of this.#waiting.splice(0, count)) this.#length -= size;
  }

  /** It is empty: it goes, but for what could not be read (F6). */
  async remove(): Promise<void> {
    this.#sealed = true;
    const path = this.#path(this.place.owner);
    const { directory, cluster } = this.place;
    const kept = join(directory, `${cluster}.${this.id}.${this.#ending === "torn" ? "torn" : "damaged"}`);
    let isGone = false;
    try {
      if (this.#unreadable.length > 0) await this.#copy(kept);
    } catch {
      await rename(path, kept).catch(ignoreMissing); // No room, or not to be read at all: the whole file is kept.
      isGone = true;
    }
    await this.handle.close();
    if (!isGone) await unlink(path).catch(ignoreMissing);
  }

  /** Leaves it to the next reporter that looks. */
  async release(): Promise<void> {
    this.#sealed = true;
    await this.handle.close();
    await rename(this.#path(this.place.owner), this.#path(FREE)).catch(ignoreMissing);
  }

  async #copy(path: string): Promise<void> {
    const copy = await open(path, "w", 0o600);
    try {
      let at = 0;
      for (const { offset, length } of this.#unreadable) {
        const { buffer, bytesRead } = await this.handle.read(Buffer.alloc(length), 0, length, offset);
        await writeAll(copy, buffer.subarray(0, bytesRead), at);
        at += bytesRead;
      }
      await copy.sync();
      await syncFolder(this.place.directory);
    } finally {
      await copy.close();
    }
  }

  /** A copy: records come and go while the disk is read, and none may be skipped. */
  #first(sharesMax: number): readonly Entry[] {
    let size = 0;
    const over = this.#waiting.findIndex((entry, at) => {
      size += entry.size;
      return at > 0 && size > sharesMax;
    });
    return this.#waiting.slice(0, over < 0 ? undefined : over);
  }

  #path(owner: string): string {
    return join(this.place.directory, nameOf(this.place.cluster, this.id, owner));
  }

  /** F3 */
  async #mustBeOurs(): Promise<void> {
    const there = await stat(this.#path(this.place.owner), { bigint: true }).catch(ignoreMissing);
    if (there?.ino !== this.inode) throw new SpoolTaken(`spool ${this.id} was taken over by another process`);
  }

  #enter(offset: number, length: number, record: SpoolRecord): void {
    const size = record.kind === "shares" ? record.shares.length : 1;
    this.#waiting.push({ offset, length, size });
    this.#length += size;
  }

  async #readOne({ offset, length }: Entry): Promise<SpoolRecord | undefined> {
    const { buffer, bytesRead } = await this.handle.read(Buffer.alloc(length), 0, length, offset);
    const [found] = new FrameReader().push(buffer.subarray(0, bytesRead));
    if (found) return unpackRecord(found.payload).record;
    this.#lose({ offset, length });
    return undefined;
  }

  #lose(range: Range): void {
    this.#ending = "damaged";
    if (!this.#unreadable.some(({ offset }) => offset === range.offset)) this.#unreadable.push(range);
  }

  async #load(onRecord: (record: SpoolRecord) => void): Promise<void> {
    this.#sealed = true;
    const reader = new FrameReader(isLikelyRecord);
    const enter = (found: readonly Found[]) => {
      for (const { offset, length, payload } of found)
        if (offset > 0) this.#loadOne({ offset, length }, payload, onRecord);
    };
    for await (const piece of this.handle.createReadStream({ start: 0, autoClose: false })) enter(reader.push(piece));
    enter(reader.end());
    if (this.#ending === "clean") this.#ending = reader.ending;
    this.#unreadable.push(...reader.gaps);
  }

  /** A record that nothing of can be read is lost, and the next ones are not. */
  #loadOne({ offset, length }: Range, payload: Buffer, onRecord: (record: SpoolRecord) => void): void {
    try {
      const { record, unreadable } = unpackRecord(payload);
      if (unreadable > 0) this.#lose({ offset, length });
      this.#enter(offset, length, record);
      onRecord(record);
    } catch {
      this.#lose({ offset, length });
    }
  }
}

/** Of a spool: it comes first, in one write. */
const HEADING_BYTES_MAX = 4_096;

/** @returns when it was begun; when its heading is damaged, when it was last written. @throws as unpackHeading(). */
async function readHeading(handle: FileHandle): Promise<number> {
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(HEADING_BYTES_MAX), 0, HEADING_BYTES_MAX, 0);
  const [heading] = new FrameReader().push(buffer.subarray(0, bytesRead));
  return heading?.offset === 0 ? unpackHeading(heading.payload).openedAt : (await handle.stat()).mtimeMs;
}

export interface Listed {
  readonly name: string;
  readonly id: string;
  /** Undefined: nobody. */
  readonly owner: string | undefined;
}

/** The installation's spools in this folder, whoever has them. */
export async function listSpools({ directory, cluster }: Place): Promise<Listed[]> {
  const names = await readdir(directory);
  return names.flatMap((name) => {
    const [, of, id, owner] = NAME.exec(name) ?? [];
    if (of !== cluster || id === undefined) return [];
    return [{ name, id, owner: owner === FREE ? undefined : owner }];
  });
}

const nameOf = (cluster: string, id: string, owner: string): string => `${cluster}.${id}.${owner}.spool`;

/** A short write is no error to the system: it says how much it took. */
async function writeAll(handle: FileHandle, bytes: Buffer, offset: number): Promise<void> {
  for (let at = 0; at < bytes.length; ) {
    const { bytesWritten } = await handle.write(bytes, at, bytes.length - at, offset + at);
    at += bytesWritten;
  }
}

const isMissing = (error: unknown): boolean => error instanceof Error && "code" in error && error.code === "ENOENT";

function ignoreMissing(error: unknown): undefined {
  if (!isMissing(error)) throw error;
}
