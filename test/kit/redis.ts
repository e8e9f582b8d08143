// redis: a real redis-server on a free loopback port, without persistence, gone with the test.
//
//   const redis = await startRedis();          // in a test; startRedis({ keep: "file" }) in beforeAll
//   const client = redis.client();             // closed with the server
//   await redis.stop(); await redis.start();   // the same port, empty: what a restart without persistence looks like

import { type ChildProcess, spawn } from "node:child_process";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis, type RedisOptions } from "ioredis";
import { asking, settled } from "../../lib/wiring/connect.js";
import { atEnd, type Keep } from "./cleanup.js";
import { freePort } from "./ports.js";

export interface RedisOptionsForTest {
  readonly keep?: Keep;
  /** requirepass. Default: none. */
  readonly password?: string;
  /** More command-line arguments, `["--maxmemory", "10mb"]`. */
  readonly args?: readonly string[];
}

/** A redis-server is up within tens of milliseconds; on a loaded machine within seconds. */
const START_MS = 10_000;
const START_ATTEMPTS = 5;
/** The client waits as long for a socket that has ended already. */
const LEAVE_MS = 100;

export async function startRedis(options: RedisOptionsForTest = {}): Promise<RedisServer> {
  const directory = await mkdtemp(join(tmpdir(), "headframe-redis-"));
  for (let attempt = 1; ; attempt++) {
    const server = new RedisServer(await freePort(), directory, options);
    try {
      await server.start();
      atEnd(() => server.close(), options.keep);
      return server;
    } catch (error) {
      if (attempt === START_ATTEMPTS) throw error; // Another test took the port in between: ask for a new one.
    }
  }
}

export class RedisServer {
  #process: ChildProcess | undefined;
  readonly #clients = new Set<Redis>();
  /** A test run that is killed must not leave servers behind. */
  readonly #onExit = () => this.#process?.kill("SIGKILL");

  constructor(
    readonly port: number,
    private readonly directory: string,
    private readonly options: RedisOptionsForTest,
  ) {
    process.once("exit", this.#onExit);
  }

  /** `redis://127.0.0.1:PORT`, with the password when there is one. */
  get url(): string {
    const auth = this.options.password === undefined ? "" : `:${encodeURIComponent(this.options.password)}@`;
    return `redis://${auth}127.0.0.1:${this.port}`;
  }

  get pid(): number {
    const pid = this.#process?.pid;
    if (pid === undefined) throw new Error("this redis-server is not running");
    return pid;
  }

  /** A client that is closed with the server. */
  client(options: Omit<RedisOptions, "replyMapping"> = {}): Redis {
    const client = new Redis(this.url, { disconnectTimeout: LEAVE_MS, ...options });
    client.on("error", () => {}); // Tests stop the server on purpose.
    this.#clients.add(client);
    return client;
  }

  /** A connected client that fails fast, as services get theirs from a house. */
  async asking(): Promise<Redis> {
    const client = this.client(asking);
    await settled(client, START_MS);
    return client;
  }

  /** Starts it again on the same port, empty. */
  async start(): Promise<void> {
    const child = spawn("redis-server", this.#args(), { cwd: this.directory, stdio: ["ignore", "pipe", "pipe"] });
    this.#process = child;
    await new Promise<void>((resolve, reject) => {
      let said = "";
      const failed = (why: string) => {
        clearTimeout(timer);
        child.kill("SIGKILL");
        reject(new Error(`redis-server on port ${this.port} ${why}:\n${said}`));
      };
      const timer = setTimeout(() => failed(`was not ready within ${START_MS} ms`), START_MS);
      child.once("error", (error) => failed(`could not be started (${error.message}); is it installed?`));
      child.once("exit", (code) => failed(`ended with code ${code}`));
      child.stdout.on("data", (chunk: Buffer) => {
        said += chunk;
        if (!said.includes("Ready to accept connections")) return;
        clearTimeout(timer);
        child.removeAllListeners("exit");
        child.stdout.removeAllListeners("data").resume();
        resolve();
      });
      child.stderr.resume();
    });
  }

  /** Ends the server; what it held is lost. */
  async stop(signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
    const child = this.#process;
    this.#process = undefined;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill(signal);
    child.kill("SIGCONT"); // One that a test froze must be able to die.
    await ended;
  }

  /** Between stop and start: what it had on disk is gone, too. */
  async forget(): Promise<void> {
    await rm(this.directory, { recursive: true, force: true });
    await mkdir(this.directory);
  }

  /** Freezes it: connections stay open and nothing answers. */
  freeze(): void {
    process.kill(this.pid, "SIGSTOP");
  }

  thaw(): void {
    process.kill(this.pid, "SIGCONT");
  }

  async close(): Promise<void> {
    process.removeListener("exit", this.#onExit);
    for (const client of this.#clients) client.disconnect();
    await this.stop();
    await rm(this.directory, { recursive: true, force: true });
  }

  #args(): string[] {
    const { password, args = [] } = this.options;
    const auth = password === undefined ? [] : ["--requirepass", password];
    const base = ["--port", `${this.port}`, "--bind", "127.0.0.1", "--dir", this.directory];
    return [...base, "--save", "", "--appendonly", "no", ...auth, ...args];
  }
}
