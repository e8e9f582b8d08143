// Aside: a file of ours that cannot be read is kept under another name before a new one takes its place. It may be of a newer version, to
// which somebody goes back, or hold what a person can still save.

import { renameSync } from "node:fs";

/** @returns where it is now; undefined when it could not be moved. One that was put aside earlier is replaced. */
export function putAside(file: string): string | undefined {
  const kept = `${file}.unreadable`;
  try {
    renameSync(file, kept);
    return kept;
  } catch {
    return undefined; // Not there, or the disk is full or gone: the writer after us says so.
  }
}
