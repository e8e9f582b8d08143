// keeper: a real keeper process with a real edge process under it, gone with the test.
//
//   const keeper = await startKeeper({ redis, edge: { backend: "lines" } });
//   keeper.path (unix socket for HAProxy)   keeper.port (plain TCP)   process.kill(keeper.edgePid, "SIGKILL")

import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { z } from "zod";
import type { KeeperLine } from "../../lib/contracts/index.js";
import type { settings } from "../../services/edge/settings.js";
import { alive } from "./circus.js";
import { atEnd } from "./cleanup.js";
import { freePort } from "./ports.js";
import type { RedisServer } from "./redis.js";
import { until } from "./until.js";

const PROGRAMS = new URL("./programs/", import.meta.url);
export const KEEPER = fileURLToPath(new URL("../../services/keeper/main.js", import.meta.url));
/** The real edge: EDGE_PROGRAM REDIS_URL CLUSTER SETTINGS */
export const EDGE_PROGRAM = fileURLToPath(new URL("edge.js", PROGRAMS));
const READY_MS = 20_000;

export interface KeeperOptionsForTest {
  readonly redis: RedisServer;
  readonly cluster?: string;
  readonly edge?: z.input<typeof settings>;
  readonly flags?: readonly string[];
  /** Of the unix socket; default: in a directory of its own. */
  readonly path?: string;
  /** Instead of the real edge. */
  readonly command?: readonly string[];
  /** Instead of the keeper's own main module, such as a link to it. */
  readonly program?: string;
}

export class RunningKeeper {
  readonly log: KeeperLine[] = [];
  complaint = "";

  constructor(
    readonly child: ChildProcess,
    readonly path: string,
    readonly port: number,
  ) {
    child.stderr?.on("data", (chunk: Buffer) => {
      this.complaint += chunk;
    });
    let rest = "";
    child.stdout?.on("data", (chunk: Buffer) => {
      const lines = (rest + chunk).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) if (line.startsWith("{")) this.log.push(JSON.parse(line) as KeeperLine);
    });
  }

  /** Of the keeper that listens: after an upgrade it is not `child`. */
  get pid(): number {
    return this.log.findLast(({ msg }) => msg === "listening")?.pid ?? this.child.pid ?? 0;
  }

  /** Of the edge that was ready last. */
  get epoch(): number {
    return this.log.findLast(({ msg }) => msg === "edge ready")?.epoch ?? -1;
  }

  get edgePid(): number {
    const { epoch } = this;
    return this.log.find((line) => line.msg === "edge started" && line.epoch === epoch)?.edgePid ?? 0;
  }

  edgeReady(epoch: number): Promise<unknown> {
    return until(`edge ${epoch} is ready`, READY_MS, () => this.epoch >= epoch);
  }

  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<number | null> {
    if (this.child.exitCode === null && this.child.signalCode === null) {
      const end = new Promise((resolve) => this.child.once("exit", resolve));
      this.child.kill(signal);
      await end;
    }
    const { pid } = this;
    if (pid !== this.child.pid && alive(pid)) {
      process.kill(pid, signal);
      await until("the successor has ended", READY_MS, () => !alive(pid));
    }
    return this.child.exitCode;
  }
}

export async function startKeeper(options: KeeperOptionsForTest): Promise<RunningKeeper> {
  const { redis, cluster = "test", edge = {}, flags = [] } = options;
  const directory = await mkdtemp(join(tmpdir(), "headframe-keeper-"));
  const path = options.path ?? join(directory, "keeper.sock");
  const port = await freePort();
  const command = options.command ?? [
    process.execPath,
    EDGE_PROGRAM,
    redis.url,
    cluster,
    JSON.stringify({ backend: "lines", ...edge }),
  ];
  const doors = ["--listen", `unix:${path}`, "--listen", `direct=127.0.0.1:${port}`];
  const child = spawn(process.execPath, [options.program ?? KEEPER, ...doors, ...flags, "--", ...command], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  const keeper = new RunningKeeper(child, path, port);
  const onExit = () => void child.kill("SIGTERM"); // It ends its edge, which SIGKILL would leave to notice by itself.
  process.once("exit", onExit);
  atEnd(async () => {
    process.removeListener("exit", onExit);
    await keeper.stop();
    await rm(directory, { recursive: true, force: true });
  });
  await until(
    "an edge is ready (or the keeper has ended)",
    READY_MS,
    () => keeper.epoch >= 0 || child.exitCode !== null,
  );
  if (child.exitCode !== null) throw new Error(`the keeper ended with code ${child.exitCode}: ${keeper.complaint}`);
  return keeper;
}

export interface BackendProcess {
  readonly child: ChildProcess;
  end(signal: NodeJS.Signals): Promise<void>;
}

/** A line backend in a process of its own. Resolves when it is in discovery. */
export async function startLineBackend(redis: RedisServer, cluster = "test"): Promise<BackendProcess> {
  const program = fileURLToPath(new URL("line-backend.js", PROGRAMS));
  const child = spawn(process.execPath, [program, redis.url, cluster], { stdio: ["ignore", "pipe", "inherit"] });
  let ready = false;
  child.stdout.on("data", () => {
    ready = true;
  });
  const end = async (signal: NodeJS.Signals) => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill(signal);
    await ended;
  };
  atEnd(() => end("SIGKILL"));
  await until("the line backend is ready (or has ended)", READY_MS, () => ready || child.exitCode !== null);
  if (!ready) throw new Error(`the line backend ended with code ${child.exitCode} before it was ready`);
  return { child, end };
}
