// Alone: one swap or drain of a watcher at a time on this host, whoever asks (the command line, the dashboard).
//
// Two at once would each take the other's new processes for its own, and report on them. The second one is refused and told who is first.

import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { claim } from "../../circus/index.js";

const SOCKET = "ipc://";

/**
 * Does it while nobody else on this host changes the watcher. With a manager that is reached by TCP nobody is excluded: there is no
 * folder that all who may ask share.
 *
 * @throws {Error} when another one is at it; whatever `act` throws.
 */
export async function alone<T>(endpoint: string, watcher: string, act: () => Promise<T>): Promise<T> {
  if (!endpoint.startsWith(SOCKET)) return act();
  const file = join(dirname(endpoint.slice(SOCKET.length)), `change-${encodeURIComponent(watcher)}.lock`);
  writeFileSync(file, "", { flag: "a", mode: 0o600 });
  const claimed = claim(file);
  if (claimed === undefined) {
    throw new Error(
      `${watcher} is being changed already (${holder(file)}): nothing was done; wait for it, then try again`,
    );
  }
  try {
    writeFileSync(file, `pid ${process.pid}, since ${new Date().toISOString()}`);
    return await act();
  } finally {
    claimed.release();
  }
}

/** It may have claimed it just now, and not written yet. */
const holder = (file: string): string => readFileSync(file, "utf8").slice(0, 100) || "just begun";
