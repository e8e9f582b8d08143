// No secret shows, and nothing of the pool's can be read or spoken to by another user: looked at from outside, on a whole pool with
// passwords everywhere, in good times and while everything fails.

import { chmod, mkdtemp, readdir, readFile, realpath, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "@jest/globals";
import { execa } from "execa";
import { createKeyFile } from "../../lib/wiring/index.js";
import { rawCall } from "../kit/circus.js";
import { atEnd } from "../kit/cleanup.js";
import { startDaemonStandIn } from "../kit/daemon-stand-in.js";
import { easyShares, hardChain } from "../kit/easy-chain.js";
import { Miner, startPool, type TestPool } from "../kit/pool.js";
import { startRedis } from "../kit/redis.js";
import { until } from "../kit/until.js";

const BIN = fileURLToPath(new URL("../../bin/headframe.js", import.meta.url));
const REDIS_PASSWORD = "hush-redis-7Hq2";
const RPC_PASSWORD = "hush-rpc-9Zk4";
const TOKEN = "hush-token-3Bv8";

interface Guarded {
  readonly pool: TestPool;
  /** Run directory, and that of the sockets. */
  readonly run: string;
  readonly sockets: string;
  readonly secrets: readonly string[];
}

/** Of a key file that does not exist yet, in a folder that goes with the test. */
async function freshName(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "hf-keys-"));
  atEnd(() => rm(folder, { recursive: true, force: true }));
  return join(folder, "curve.key");
}

/** Redis with a password, a daemon with one, CURVE with a key file, a token in the environment. */
async function guardedPool(): Promise<Guarded> {
  process.env.HF_TEST_TOKEN = TOKEN;
  atEnd(() => void delete process.env.HF_TEST_TOKEN);
  const redis = await startRedis({ password: REDIS_PASSWORD });
  const daemon = await startDaemonStandIn(hardChain());
  const keyFile = await freshName();
  createKeyFile(keyFile);
  const secretKey = /secret = "(.*)"/.exec(await readFile(keyFile, "utf8"))?.[1] ?? "";
  const daemons = [{ name: "one", url: daemon.url, user: "pool", password: RPC_PASSWORD }];
  const jobmanager = { daemons };
  const pool = await startPool({
    redis,
    daemons: [daemon],
    settings: { ...easyShares(), jobmanager, curve: { keyFile } },
  });
  const run = await realpath(join(dirname(pool.configFile), "current"));
  const sockets = await realpath(join(run, "sockets"));
  expect(secretKey).toHaveLength(40);
  return { pool, run, sockets, secrets: [REDIS_PASSWORD, RPC_PASSWORD, TOKEN, secretKey] };
}

async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true });
  const below = entries.filter((entry) => entry.isDirectory()).map((entry) => filesBelow(join(folder, entry.name)));
  const own = entries
    .filter((entry) => !entry.isDirectory() && !entry.isSymbolicLink())
    .map(({ name }) => join(folder, name));
  return [...own, ...(await Promise.all(below)).flat()];
}

async function texts({ run, sockets }: Guarded): Promise<string> {
  const files = [...(await filesBelow(run)), ...(await filesBelow(sockets))];
  const read = await Promise.all(files.map((file) => readFile(file, "utf8").catch(() => "")));
  return read.join("\n");
}

/** What every user of the machine sees of the pool's processes. */
async function commandLines(): Promise<string> {
  return (await execa("ps", ["-eo", "args"])).stdout;
}

async function askCircus({ sockets }: Guarded): Promise<string> {
  const endpoint = `ipc://${join(sockets, "circus.sock")}`;
  const ask = (command: string, properties = {}) => rawCall(endpoint, { id: 1, command, properties });
  const list = await ask("list");
  const watchers = (list?.watchers ?? []) as string[];
  expect(watchers).toContain("haproxy-controller");
  const replies = await Promise.all([
    ...watchers.flatMap((name) => [
      ask("options", { name }),
      ask("tail", { name }),
      ask("get", { name, keys: ["env"] }),
    ]),
    ...[ask("stats"), ask("dstats"), ask("globaloptions"), ask("status")],
  ]);
  expect(JSON.stringify(replies)).toContain("HF_TEST_TOKEN"); // It was in the environment, so that there was something to hide.
  return JSON.stringify(replies);
}

async function headframe(pool: TestPool, ...words: string[]): Promise<string> {
  const options = { reject: false, all: true, timeout: 30_000 } as const;
  const { all } = await execa(process.execPath, [BIN, ...words, "--config", pool.configFile], options);
  return all;
}

test("no password, token or secret key shows in logs, command lines, ps, the manager's answers or errors; and all is private", async () => {
  const guarded = await guardedPool();
  const { pool, run, sockets, secrets } = guarded;
  const miner = await Miner.start(pool, "account.rig");
  expect(await miner.mine()).toBe(true);
  const ps = await headframe(pool, "ps");
  expect(ps).toContain("haproxy-"); // Keys and passwords are right: it lists.

  const notPrivate: string[] = [];
  for (const path of [run, sockets, join(run, "logs")]) {
    const { mode } = await stat(path);
    if ((mode & 0o077) !== 0) notPrivate.push(`${path} ${(mode & 0o777).toString(8)}`);
  }
  for (const path of await filesBelow(sockets)) {
    const { mode } = await stat(path);
    if ((mode & 0o777) !== 0o600) notPrivate.push(`${path} ${(mode & 0o777).toString(8)}`);
  }
  expect(notPrivate).toEqual([]);

  const calls = await headframe(pool, "call", "jobmanager", "status");
  expect(calls).toContain("daemons");
  // Errors, too: processes that die, a Redis that refuses.
  for (const pid of pool.pids("stratum")) process.kill(pid, "SIGKILL");
  await until("both are back", 30_000, () => pool.pids("stratum").length === 2);
  const wrong = await headframe(pool, "ps", "--set", "redis.connectTimeoutMs=300", "--set", "cluster=x y");
  const refused = await headframe(pool, "ps", "--set", "redis.discovery=redis://:hush-wrong@127.0.0.1:1");
  expect(refused).not.toContain("hush-wrong");
  const shown = [await texts(guarded), await commandLines(), await askCircus(guarded), ps, calls, wrong, refused].join(
    "\n",
  );
  expect(secrets.filter((secret) => shown.includes(secret))).toEqual([]);
}, 120_000);

test("`headframe keys` makes a private file, says the public key each time, and refuses one that others may read", async () => {
  const file = await freshName();
  const keys = () => execa(process.execPath, [BIN, "keys", file], { reject: false });
  const made = await keys();
  expect(made).toMatchObject({ exitCode: 0, stderr: "" });
  expect(made.stdout).toHaveLength(40);
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  expect((await keys()).stdout).toBe(made.stdout);
  await chmod(file, 0o644);
  expect(await keys()).toMatchObject({ exitCode: 2, stderr: expect.stringContaining("chmod 600"), stdout: "" });
}, 30_000);
