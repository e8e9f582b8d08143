// Watch: collects what the live screen shows, from the same contracts that every service uses.
//
//   pushes (jobs, blocks, shares, the miner's events)  -->  what goes on        polled once a second: counters
//
// It only looks. Without it the pool runs just the same.

import { type MinerEvent, miner } from "../../demo/miner/contract.js";
import { edge, jobmanager, reporter } from "../../lib/contracts/index.js";
import { type Client, type House, type Log, WiringError } from "../../lib/wiring/index.js";
import type { Mood, ProcessRow, View } from "./view.js";

const POLL_MS = 1_000;
const EVENTS_KEPT = 200;

interface Known {
  daemons: View["daemons"];
  job: View["job"];
  pool: View["pool"];
  blocks: View["blocks"];
  connections: number;
  disconnects: number;
}

export interface WatchOptions {
  readonly house: House;
  /** False: nothing is mined, so nobody is asked for work, shares and blocks. */
  readonly mining: boolean;
  /** Also ask the demo miner. */
  readonly demo: boolean;
  readonly addresses: readonly string[];
  readonly runDirectory: string;
  readonly log: Log;
  processes(): readonly ProcessRow[];
  /** Each event as it happens, for a run without a screen. */
  onEvent?(text: string, mood: Mood): void;
}

export class Watch {
  readonly #options: WatchOptions;
  readonly #clients: { jobs: Client<typeof jobmanager>; shares: Client<typeof reporter>; edges: Client<typeof edge> };
  readonly #miner: Client<typeof miner> | undefined;
  readonly #events: { at: number; text: string; mood: Mood }[] = [];
  readonly #timer: NodeJS.Timeout;
  readonly #startedAt = Date.now();
  #polling: Promise<void> | undefined;
  #known: Known = { daemons: [], job: undefined, pool: undefined, blocks: [], connections: 0, disconnects: 0 };

  constructor(options: WatchOptions) {
    this.#options = options;
    const { nexus } = options.house;
    this.#clients = { jobs: nexus.client(jobmanager), shares: nexus.client(reporter), edges: nexus.client(edge) };
    this.#miner = options.demo ? nexus.client(miner) : undefined;
    this.#listen();
    this.#timer = setInterval(() => {
      this.#polling ??= this.#poll().finally(() => {
        this.#polling = undefined;
      });
    }, POLL_MS);
  }

  view(): View {
    const { addresses, runDirectory, mining } = this.#options;
    const { connections, disconnects, ...known } = this.#known;
    const now = Date.now();
    return {
      ...known,
      ...{ now, elapsedMs: now - this.#startedAt, addresses, runDirectory, mining },
      clients: { connections, disconnects },
      processes: this.#options.processes(),
      events: this.#events,
    };
  }

  /** Something that happened elsewhere, such as a process' end. */
  tell(text: string, mood: Mood): void {
    this.#events.push({ at: Date.now(), text, mood });
    if (this.#events.length > EVENTS_KEPT) this.#events.shift();
    this.#options.onEvent?.(text, mood);
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#polling;
    const { jobs, shares, edges } = this.#clients;
    for (const client of [jobs, shares, edges, this.#miner]) await client?.close();
  }

  #listen(): void {
    let height = 0;
    this.#clients.jobs.subscribe("job", {
      onMessage: (job) => {
        this.#known.job = { id: job.id, height: job.height, templateAt: job.templateAt };
        if (job.height <= height) return;
        height = job.height;
        this.tell(`new job ${job.id}: work on block ${job.height}`, "plain");
      },
    });
    this.#clients.shares.subscribe("block", {
      onMessage: (block) => {
        const text = `block ${block.height} ${block.status}, found by ${block.worker}: ${block.hash.slice(0, 16)}...`;
        this.tell(text, block.status === "accepted" || block.status === "confirmed" ? "block" : "bad");
      },
    });
    this.#miner?.subscribe("event", { onMessage: (event) => this.#minerSaid(event) });
  }

  #minerSaid(event: MinerEvent): void {
    if (event.kind === "accepted") {
      this.tell(`share by ${event.worker} for job ${event.jobId} accepted in ${event.answerMs.toFixed(1)} ms`, "good");
    } else if (event.kind === "rejected") {
      this.tell(`share by ${event.worker} for job ${event.jobId} refused: ${event.reason}`, "plain");
    } else if (event.kind === "connected") {
      this.tell(`${event.worker} connected, extranonce1 ${event.extranonce1}`, "plain");
    } else {
      this.tell(`${event.worker} lost its connection: ${event.reason}`, "bad");
    }
  }

  async #poll(): Promise<void> {
    const polls = [this.#pollClients(), ...(this.#options.mining ? [this.#pollJobs(), this.#pollShares()] : [])];
    await Promise.all(polls.map((poll) => this.#quietly(poll)));
  }

  /** A service that is just being restarted does not answer; the screen keeps what it last knew. */
  async #quietly(poll: Promise<void>): Promise<void> {
    try {
      await poll;
    } catch (error) {
      if (!(error instanceof WiringError)) throw error;
      this.#options.log.debug({ err: error }, "the screen asked in vain");
    }
  }

  async #pollJobs(): Promise<void> {
    this.#known.daemons = (await this.#clients.jobs.call("status", {}, { timeoutMs: POLL_MS })).daemons.map(present);
  }

  async #pollShares(): Promise<void> {
    const { shares } = this.#clients;
    const options = { timeoutMs: POLL_MS };
    const [pool, { blocks }] = await Promise.all([
      shares.call("pool", {}, options),
      shares.call("blocks", { limit: 5 }, options),
    ]);
    this.#known.pool = { ...pool, rejected: Object.values(pool.rejected).reduce((sum, count) => sum + count, 0) };
    this.#known.blocks = blocks;
  }

  async #pollClients(): Promise<void> {
    const edges = this.#clients.edges.instances();
    const replies = await Promise.all(
      edges.map(({ id }) => this.#clients.edges.call("status", {}, { to: id, timeoutMs: POLL_MS })),
    );
    this.#known.connections = replies.reduce((sum, reply) => sum + reply.connections, 0);
    const rigs = (await this.#miner?.call("status", {}, { timeoutMs: POLL_MS }))?.rigs ?? [];
    this.#known.disconnects = rigs.reduce((sum, rig) => sum + rig.disconnects, 0);
  }
}

/** Without the keys that are undefined. */
function present(daemon: { name: string; state: string; height?: number | undefined; reason?: string | undefined }) {
  const { name, state, height, reason } = daemon;
  return { name, state, ...(height === undefined ? {} : { height }), ...(reason === undefined ? {} : { reason }) };
}
