// The pool's Redis: a process of its own, not under the process manager, so that it can be stopped, killed, frozen and started
// again with what it had.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import { Redis } from "ioredis";

const READY_MS = 10_000;
const LOOK_EVERY_MS = 20;

type Sync = "always" | "everysec";

export class RedisProcess {
  #process: ChildProcess | undefined;
  /** A machine that is killed leaves nothing behind. */
  readonly #onExit = () => this.#process?.kill("SIGKILL");

  private constructor(
    readonly port: number,
    private readonly directory: string,
    private readonly sync: Sync,
  ) {
    process.once("exit", this.#onExit);
  }

  /**
   * @param sync `always`: a share counts as recorded when it is on disk, so that even kill -9 of Redis loses none. `everysec`: as a
   *   pool's Redis usually is.
   */
  static async open(port: number, directory: string, sync: Sync = "always"): Promise<RedisProcess> {
    const redis = new RedisProcess(port, directory, sync);
    await redis.start();
    return redis;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  /** With what it had when it ended. @throws when it does not answer in 10 s. */
  async start(): Promise<void> {
    const flags = ["--appendonly", "yes", "--appendfsync", this.sync, "--save", "", "--maxmemory-policy", "noeviction"];
    const place = ["--port", `${this.port}`, "--bind", "127.0.0.1", "--dir", this.directory];
    this.#process = spawn("redis-server", [...place, ...flags], { stdio: "ignore" });
    const end = performance.now() + READY_MS;
    while (!(await this.#answers())) {
      if (performance.now() > end)
        throw new Error(`redis-server on port ${this.port} did not answer in ${READY_MS} ms`);
      await delay(LOOK_EVERY_MS);
    }
  }

  /** SIGTERM writes all down first; SIGKILL does not. */
  async stop(signal: "SIGTERM" | "SIGKILL"): Promise<void> {
    const child = this.#process;
    this.#process = undefined;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, "exit");
    child.kill(signal);
    child.kill("SIGCONT"); // One that is frozen must be able to end.
    await ended;
  }

  freeze(): void {
    this.#process?.kill("SIGSTOP");
  }

  thaw(): void {
    this.#process?.kill("SIGCONT");
  }

  async close(): Promise<void> {
    process.removeListener("exit", this.#onExit);
    await this.stop("SIGKILL");
  }

  async #answers(): Promise<boolean> {
    const client = new Redis(this.url, { lazyConnect: true, retryStrategy: () => null });
    client.on("error", () => {}); // ping() tells.
    try {
      await client.connect();
      if ((await client.ping()) !== "PONG") return false; // While it loads, it says so instead.
      // Somebody else's, who was faster to take the port, would answer just as well, and end when they are done with it.
      const [, pid] = /^process_id:(\d+)/m.exec(await client.info("server")) ?? [];
      return Number(pid) === this.#process?.pid;
    } catch {
      return false;
    } finally {
      client.disconnect();
    }
  }
}
