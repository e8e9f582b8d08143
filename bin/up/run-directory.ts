// The run directory: where one run keeps its sockets, its data and its logs.
//
//   run/<start>-<pid>/   logs/ (kept)   data/ sockets/ headframe.toml ... (gone when the run ends)
//   run/current          link to the newest run, so that `headframe ps` finds it without being told
//
//   D1. Nobody else may read it: sockets speak without authentication, and the configuration holds secrets.
//   D2. Old runs are pruned: RUNS_KEPT are kept.
//   D3. A unix socket's path must fit into 107 bytes (sun_path), and be one word in HAProxy's configuration, however deep the
//       checkout lies and whatever its folders are called: otherwise sockets/ stands in the system's folder for such things.
//   D4. What a run that was killed -9 left behind, processes and files, is cleared away by the next one.

import { mkdir, mkdtemp, readdir, readlink, realpath, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { Ledger } from "../../circus/index.js";

const RUNS_KEPT = 10;
/** Between SIGTERM and SIGKILL for what serves nobody any more. */
const LEFTOVER_GRACE_MS = 3_000;
/** Leaves room for the longest file name in it, `haproxy-master.sock.<pid>.tmp`. */
const SOCKET_FOLDER_BYTES_MAX = 76;

export interface RunDirectory {
  readonly path: string;
  readonly logs: string;
  readonly data: string;
  readonly sockets: string;
  /** Removes all but the logs. */
  clear(): Promise<void>;
}

export async function createRunDirectory(root: string, tell: (text: string) => void): Promise<RunDirectory> {
  await mkdir(root, { recursive: true, mode: 0o700 });
  await tidy(root, tell);
  const name = `${new Date().toISOString().replace(/[-:]/g, "").replace("T", "-").slice(0, 15)}-${process.pid}`;
  const path = resolve(root, name);
  const [logs, data] = [join(path, "logs"), join(path, "data")];
  for (const folder of [path, logs, data]) await mkdir(folder, { recursive: true, mode: 0o700 });
  const sockets = await socketFolder(path);
  const link = join(root, "current");
  await rm(link, { force: true });
  await symlink(name, link);
  return { path, logs, data, sockets, clear: () => clear({ path, logs, sockets, link, name }) };
}

async function socketFolder(path: string): Promise<string> {
  const near = join(path, "sockets");
  if (Buffer.byteLength(near) > SOCKET_FOLDER_BYTES_MAX || /[^\w./@+-]/.test(near)) {
    const far = await mkdtemp(join(tmpdir(), "headframe-")); // D3
    await symlink(far, near); // So that the next run finds it.
    return far;
  }
  await mkdir(near, { mode: 0o700 });
  return near;
}

async function clear(run: { path: string; logs: string; sockets: string; link: string; name: string }): Promise<void> {
  await rm(run.sockets, { recursive: true, force: true });
  for (const entry of await readdir(run.path)) {
    if (join(run.path, entry) !== run.logs) await rm(join(run.path, entry), { recursive: true, force: true });
  }
  const current = await readlink(run.link).catch(() => undefined); // A later run may have taken the link over.
  if (current === run.name) await rm(run.link, { force: true });
}

/** D2, D4 */
async function tidy(root: string, tell: (text: string) => void): Promise<void> {
  const runs = (await readdir(root)).filter((entry) => /^\d{8}-\d{6}-\d+$/.test(entry)).sort();
  const over = runs.filter((run) => !isAlive(Number(run.split("-")[2])));
  for (const run of over) {
    const path = resolve(root, run);
    const sockets = await realpath(join(path, "sockets")).catch(() => undefined); // Gone when the run ended as it should.
    if (sockets === undefined) continue;
    for (const { watcher, pid } of await Ledger.clear(sockets, LEFTOVER_GRACE_MS)) {
      tell(`ended ${watcher} (pid ${pid}), left over from a run that was killed`);
    }
    await clear({ path, logs: join(path, "logs"), sockets, link: join(root, "current"), name: run });
  }
  for (const run of over.slice(0, Math.max(0, runs.length - RUNS_KEPT + 1))) {
    await rm(join(root, run), { recursive: true, force: true });
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
