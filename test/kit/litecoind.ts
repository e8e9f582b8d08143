// litecoind: real daemons on regtest and free loopback ports, gone with the test.
//
//   const pair = await startLitecoindPair({ mweb: false, keep: "file" });
//   pair.a.rpc.call("getblockcount", [], z.number())        pair.b.url, pair.b.cookieFile        await pair.a.kill()

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { bootRegtest, cookieFile, type LitecoindPlace, litecoindArguments } from "../../demo/regtest.js";
import { DaemonRpc } from "../../services/jobmanager/out-rpc.js";
import { atEnd, type Keep } from "./cleanup.js";
import { freePorts } from "./ports.js";

/** A wallet's disk writes may take long on a loaded machine; a test of slowness uses a client of its own. */
const CALL_MS = 30_000;
const START_ATTEMPTS = 3;

export interface LitecoindPair {
  readonly a: Litecoind;
  readonly b: Litecoind;
  /** Of A's wallet. */
  readonly payoutAddress: string;
  /** Ends both; safe twice. It happens by itself at the end of the test (or file). */
  stop(): Promise<void>;
}

export interface PairOptions {
  /** True: the chain is past MWEB activation. */
  readonly mweb: boolean;
  /** Without mweb: the wallet has money to spend (about 110 blocks). Default false: one block. */
  readonly mature?: boolean;
  readonly keep?: Keep;
}

/** Two connected nodes, A with a wallet and a chain that gives templates. */
export async function startLitecoindPair(options: PairOptions): Promise<LitecoindPair> {
  for (let attempt = 1; ; attempt++) {
    const [p2pA = 0, p2pB = 0] = await freePorts(2);
    const a = await Litecoind.start({ p2pPort: p2pA });
    const b = await Litecoind.start({ p2pPort: p2pB, connectTo: p2pA });
    const stop = async (): Promise<void> => {
      await Promise.all([a.close(), b.close()]);
    };
    atEnd(stop, options.keep);
    try {
      const signal = AbortSignal.any([a.ended, b.ended]);
      const { payoutAddress } = await bootRegtest(a.rpc, b.rpc, () => {}, { ...options, signal });
      return { a, b, payoutAddress, stop };
    } catch (error) {
      await stop();
      if (attempt === START_ATTEMPTS) throw error; // Another test took a port in between: ask for new ones.
    }
  }
}

export interface StartOptions {
  readonly p2pPort?: number;
  readonly connectTo?: number;
  /** Later arguments win: `["-regtest=0", "-testnet"]`. */
  readonly args?: readonly string[];
}

export class Litecoind {
  readonly rpc: DaemonRpc;
  #process: ReturnType<typeof run> | undefined;
  #ended = new AbortController();

  private constructor(
    readonly place: LitecoindPlace,
    private readonly args: readonly string[],
  ) {
    this.rpc = new DaemonRpc({ name: "litecoind", url: this.url, timeoutMs: CALL_MS, cookieFile: this.cookieFile });
  }

  /** The process runs when it resolves; whether it answers is another question. The caller closes it. */
  static async start(options: StartOptions = {}): Promise<Litecoind> {
    const [rpcPort = 0, freeP2p = 0] = await freePorts(2);
    const datadir = await mkdtemp(join(tmpdir(), "headframe-litecoind-"));
    const place = {
      datadir,
      rpcPort,
      p2pPort: options.p2pPort ?? freeP2p,
      ...(options.connectTo === undefined ? {} : { connectTo: options.connectTo }),
    };
    const daemon = new Litecoind(place, options.args ?? []);
    daemon.launch();
    return daemon;
  }

  get url(): string {
    return `http://127.0.0.1:${this.place.rpcPort}/`;
  }

  get cookieFile(): string {
    return cookieFile(this.place.datadir);
  }

  /** Starts it (again), with the chain that it had. The wallet is not loaded by itself: `loadwallet pool`. */
  launch(): void {
    const process = run([...litecoindArguments(this.place), ...this.args]);
    const ended = new AbortController();
    this.#process = process;
    this.#ended = ended;
    void process.then(({ stderr }) => ended.abort(new Error(`litecoind has ended: ${stderr}`)));
  }

  /** Aborted when the process that now runs has ended, with what it said. */
  get ended(): AbortSignal {
    return this.#ended.signal;
  }

  /** As a crash would. */
  async kill(): Promise<void> {
    this.#process?.kill("SIGKILL");
    await this.#process;
    this.#process = undefined;
  }

  /** Stays connected and answers nothing. */
  freeze(): void {
    this.#process?.kill("SIGSTOP");
  }

  thaw(): void {
    this.#process?.kill("SIGCONT");
  }

  async close(): Promise<void> {
    this.rpc.close();
    await this.kill();
    await rm(this.place.datadir, { recursive: true, force: true });
  }
}

// `cleanup`: a test run that ends takes its daemons along.
const run = (args: string[]) =>
  execa("litecoind", args, { stdio: ["ignore", "ignore", "pipe"], reject: false, cleanup: true });
