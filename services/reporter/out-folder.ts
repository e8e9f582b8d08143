// Folders whose entries survive a power cut: a file's own sync keeps its bytes, its folder's keeps its name.

import { mkdir, open } from "node:fs/promises";
import { dirname } from "node:path";

export async function syncFolder(directory: string): Promise<void> {
  const folder = await open(directory, "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** With its parents, if need be. */
export async function makeFolder(directory: string, mode = 0o777): Promise<void> {
  const made = await mkdir(directory, { recursive: true, mode });
  if (made === undefined) return; // It is there.
  for (let at = directory; at.length >= made.length; at = dirname(at)) await syncFolder(dirname(at));
}
