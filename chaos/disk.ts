// The disk under the reporters' spool: a small file system in memory, of its own, so that it can be full without harm to others.
//
//   D1. Only root can mount one: `SpoolDisk.open` says why there is none.
//   D2. A run that was killed leaves its mount behind, and the next one takes it off.

import { mkdir, open, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { messageOf } from "../lib/thrown.js";
import { isAlive } from "./leftovers.js";

/** The mount's name in /proc/mounts. */
const PREFIX = "headframe-chaos-";
const BALLAST = "ballast";
const PIECE_BYTES = 1 << 16;

export class SpoolDisk {
  private constructor(readonly folder: string) {}

  /** @returns a text, the reason, when there can be none. D1 */
  static async open(folder: string, bytes: number): Promise<SpoolDisk | string> {
    if (process.getuid?.() !== 0) return "it needs a file system of its own, which only root can mount";
    try {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      const options = `size=${Math.ceil(bytes / 1_024)}k,mode=700`;
      await execa("mount", ["-t", "tmpfs", "-o", options, `${PREFIX}${process.pid}`, folder]);
      return new SpoolDisk(folder);
    } catch (error) {
      const why = error instanceof Error ? error.message.split("\n")[0] : messageOf(error);
      return `it needs a file system of its own, which cannot be mounted: ${why}`;
    }
  }

  /** Every byte of it is taken, whoever asks for one from now on. */
  async fill(): Promise<void> {
    const file = await open(join(this.folder, BALLAST), "w", 0o600);
    try {
      for (let bytes = PIECE_BYTES; bytes >= 1; ) {
        const taken = await file.write(Buffer.alloc(bytes)).then(
          ({ bytesWritten }) => bytesWritten,
          (error: NodeJS.ErrnoException) => {
            if (error.code !== "ENOSPC") throw error;
            return 0;
          },
        );
        if (taken < bytes) bytes >>= 1;
      }
    } finally {
      await file.close();
    }
  }

  async empty(): Promise<void> {
    await rm(join(this.folder, BALLAST), { force: true });
  }

  async close(): Promise<void> {
    await execa("umount", ["--lazy", this.folder]);
  }
}

/** D2. Before anybody clears the folders of old runs away. */
export async function unmountLeftovers(): Promise<void> {
  const mounts = await readFile("/proc/mounts", "utf8").catch(() => ""); // Nothing was ever mounted where there is none.
  for (const line of mounts.split("\n")) {
    const [name = "", folder = ""] = line.split(" ");
    if (!name.startsWith(PREFIX) || isAlive(Number(name.slice(PREFIX.length)))) continue;
    await execa("umount", ["--lazy", folder], { reject: false }); // Another run may be faster.
  }
}
