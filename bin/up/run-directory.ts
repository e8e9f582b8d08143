// The run directory: where one run keeps its sockets, its data and its logs.
//
//   run/<start>-<pid>/   logs/ (kept)   data/ sockets/ headframe.toml ... (gone when the run ends)
//   run/current          link to the newest run, so that `headframe ps` finds it without being told
//
//   D1. Nobody else may read it: sockets speak without authentication, and the configuration holds secrets.
//   D2. Old runs are pruned: RUNS_KEPT are kept.
//   D3. A unix socket's path must fit into 107 bytes (sun_path), and be one word in HAProxy's configuration, however deep the
//       checkout lies and whatever its folders are called: otherwise sockets/ stands in the system's folder for such things.
//   D4. What a run that was killed -9 left behind, processes and files, is cleared away by the next one. Whether a run lives says the claim
//       that it holds on its directory (circus/claim.ts), never a pid: a stranger may have that by now.
//   D5. A configuration runs once: a second `up` by the same file is refused before it touches anything. Runs by other files, and embedded ones,
//       may stand beside each other; `current` leads to the newest that lives.

import { mkdir, mkdtemp, readdir, readlink, realpath, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { type Claim, claim, Ledger } from "../../circus/index.js";

const RUNS_KEPT = 10;
/** Between SIGTERM and SIGKILL for what serves nobody any more. */
const LEFTOVER_GRACE_MS = 3_000;
/** A start that clears away a killed run waits for its processes, at most some 5 s a run. */
const ALONE_S = 30;
const CONFIG_LINK = "headframe.toml";
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

/**
 * @param configFile Linked as `headframe.toml`, so that `headframe ps` in this folder finds the pool without being told.
 * @throws when a pool by the same file runs here (D5), or the root is not ours to use.
 */
export async function createRunDirectory(
  root: string,
  tell: (text: string) => void,
  configFile?: string,
): Promise<RunDirectory> {
  await mkdir(root, { recursive: true, mode: 0o700 });
  // One at a time looks around and makes its place: two that start at once would not see each other.
  const alone = claim(root, ALONE_S);
  if (alone === undefined) throw new Error(`another start holds ${root} since ${ALONE_S} s; wait for it, or end it`);
  try {
    await tidy(root, tell);
    if (configFile !== undefined) await refuseTwice(root, configFile);
    return await create(root, configFile);
  } finally {
    alone.release();
  }
}

async function create(root: string, configFile: string | undefined): Promise<RunDirectory> {
  const name = `${new Date().toISOString().replace(/[-:]/g, "").replace("T", "-").slice(0, 15)}-${process.pid}`;
  const path = resolve(root, name);
  const [logs, data] = [join(path, "logs"), join(path, "data")];
  for (const folder of [path, logs, data]) await mkdir(folder, { recursive: true, mode: 0o700 });
  const held = claim(path);
  if (held === undefined) throw new Error(`${path} belongs to another run of this process`);
  const sockets = await socketFolder(path);
  if (configFile !== undefined) await symlink(resolve(configFile), join(path, CONFIG_LINK));
  await lead(root, name);
  return { path, logs, data, sockets, clear: () => clear({ path, logs, sockets, root, name, held }) };
}

/** D5 */
async function refuseTwice(root: string, configFile: string): Promise<void> {
  const wanted = await realpath(configFile);
  for (const run of await runsIn(root)) {
    const file = await realpath(join(root, run, CONFIG_LINK)).catch(() => undefined);
    if (file !== wanted || !isHeld(join(root, run))) continue;
    const pid = run.split("-")[2];
    throw new Error(
      `a pool by ${configFile} runs here already (${join(root, run)}, pid ${pid}); end it first (Ctrl-C there), or give the other one a file, ports and a cluster of its own`,
    );
  }
}

async function runsIn(root: string): Promise<string[]> {
  return (await readdir(root)).filter((entry) => /^\d{8}-\d{6}-\d+$/.test(entry)).sort();
}

function isHeld(path: string): boolean {
  const free = claim(path);
  free?.release();
  return free === undefined;
}

/** `current` leads to `name`, or nowhere. */
async function lead(root: string, name: string | undefined): Promise<void> {
  const link = join(root, "current");
  await rm(link, { force: true });
  if (name !== undefined) await symlink(name, link);
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

interface Cleared {
  readonly path: string;
  readonly logs: string;
  readonly sockets: string;
  readonly root: string;
  readonly name: string;
  readonly held: Claim;
}

async function clear(run: Cleared): Promise<void> {
  await rm(run.sockets, { recursive: true, force: true });
  for (const entry of await readdir(run.path)) {
    if (join(run.path, entry) !== run.logs) await rm(join(run.path, entry), { recursive: true, force: true });
  }
  run.held.release();
  const current = await readlink(join(run.root, "current")).catch(() => undefined); // A later run may have taken the link over.
  if (current !== run.name) return;
  const others = (await runsIn(run.root)).filter((name) => name !== run.name && isHeld(join(run.root, name)));
  await lead(run.root, others.at(-1)); // D5
}

/** D2, D4 */
async function tidy(root: string, tell: (text: string) => void): Promise<void> {
  const runs = await runsIn(root);
  const over: string[] = [];
  for (const name of runs) {
    const path = resolve(root, name);
    const held = claim(path);
    if (held === undefined) continue; // It lives.
    over.push(name);
    const sockets = await realpath(join(path, "sockets")).catch(() => undefined); // Gone when the run ended as it should.
    for (const { watcher, pid } of sockets === undefined ? [] : await Ledger.clear(sockets, LEFTOVER_GRACE_MS)) {
      tell(`ended ${watcher} (pid ${pid}), left over from a run that was killed`);
    }
    if (sockets === undefined) held.release();
    else await clear({ path, logs: join(path, "logs"), sockets, root, name, held });
  }
  for (const run of over.slice(0, Math.max(0, runs.length - RUNS_KEPT + 1))) {
    await rm(join(root, run), { recursive: true, force: true });
  }
}
