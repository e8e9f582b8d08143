// An instance without an outside: the real sessions, judging and broadcast, with an edge, a reporter and a memory that a test holds
// in its hands.

import { pino } from "pino";
import type {
  Claim,
  ClientEvent,
  ConnectionId,
  Handle,
  Job,
  JobId,
  LineNumber,
  Out,
  Share,
} from "../../../lib/contracts/index.js";
import { noMetrics, type PeerId } from "../../../lib/wiring/index.js";
import { Broadcast } from "../../../services/stratum/broadcast.js";
import { Desk } from "../../../services/stratum/desk.js";
import { InLines } from "../../../services/stratum/in-lines.js";
import { JobBook } from "../../../services/stratum/jobs.js";
import type { Recorded, Seat } from "../../../services/stratum/ports.js";
import type { Grant } from "../../../services/stratum/session.js";
import { type Settings, settings as schema } from "../../../services/stratum/settings.js";
import { decodeSnapshot, type Snapshot } from "../../../services/stratum/snapshot.js";
import { Tally } from "../../../services/stratum/tally.js";
import type { Candidate } from "../../../services/stratum/verify.js";
import { EASY, SENIOR } from "./craft.js";

export const EDGE = "edge-peer" as PeerId;
export const EASY_SETTINGS = { default: { difficulty: { start: EASY.sha256d, floor: EASY.sha256d / 1_024 } } };

/** Sessions and extranonce1 numbers that instances share, as Redis would. */
export class SharedMemory {
  readonly states = new Map<string, { state: Uint8Array; live: boolean; claimedBy?: string }>();
  numbers = 1;
}

export class Instance {
  readonly outs: Out[] = [];
  readonly shares: Share[] = [];
  readonly blocks: { candidate: Candidate; worker: string }[] = [];
  readonly rejects: string[] = [];
  readonly archive = new Map<JobId, Job>();
  readonly book = new JobBook();
  readonly settings: Settings;
  readonly lines: InLines;
  readonly broadcast: Broadcast;
  readonly tally = new Tally(noMetrics);
  /** What the reporter says; a promise that never settles is a reporter that is away. */
  outcome: (share: Share) => Recorded | Promise<Recorded> = () => "recorded";
  known: (claim: Claim) => boolean = () => false;
  /** Awaited before every answer of shared state. */
  memoryDelay: Promise<unknown> = Promise.resolve();
  freshAtMs = performance.now();
  waiting = 0;

  constructor(
    readonly memory = new SharedMemory(),
    settings: Parameters<typeof schema.parse>[0] = {},
    salt: () => number = () => 0,
  ) {
    this.settings = schema.parse({ listeners: EASY_SETTINGS, ...(settings as object) });
    const desk = new Desk({
      settings: this.settings,
      book: this.book,
      out: { say: (_, out) => void this.outs.push(out), forget: () => {} },
      shares: this.#recorder(),
      blocks: { submit: (candidate, worker) => void this.blocks.push({ candidate, worker }) },
      state: this.#memory(),
      jobs: {
        lookup: async (id) => {
          const job = this.archive.get(id);
          return job && this.book.remember(job);
        },
      },
      log: pino({ level: "silent" }),
      tally: this.tally,
      freshAtMs: () => this.freshAtMs,
      salt,
    });
    this.lines = new InLines(desk);
    this.broadcast = new Broadcast(desk, this.lines);
  }

  /** A job as the senior jobmanager sends it. */
  job(job: Job): void {
    const maskBefore = this.book.current?.job.versionMask ?? 0xffff_ffff;
    const offered = this.book.offer(job, SENIOR, true, performance.now());
    if (offered !== "dropped") this.broadcast.announce(offered === "tip", maskBefore);
  }

  events(...events: ClientEvent[]): void {
    this.lines.events(events, EDGE);
  }

  #recorder() {
    const record = async (share: Share, _: number, __: unknown, settle: (outcome: Recorded) => void): Promise<void> => {
      const outcome = await this.outcome(share);
      if (outcome === "recorded") this.shares.push(share);
      settle(outcome);
    };
    const instance = this;
    return {
      record,
      known: async (claim: Claim) => this.known(claim),
      reject: (worker: string, reason: string) => void this.rejects.push(`${worker} ${reason}`),
      get waiting() {
        return instance.waiting;
      },
    };
  }

  #memory() {
    const { memory } = this;
    return {
      save: ({ id }: Seat, state: Uint8Array) => {
        memory.states.set(id, { ...memory.states.get(id), state, live: true });
      },
      forget: () => {},
      release: async ({ id }: Seat) => {
        const held = memory.states.get(id);
        if (held) memory.states.set(id, { ...held, live: false });
      },
      adopt: async ({ id }: Seat): Promise<Snapshot | undefined> => {
        await this.memoryDelay;
        const held = memory.states.get(id);
        return held && decodeSnapshot(held.state);
      },
      enlist: async ({ id }: Seat, session: string | undefined): Promise<Grant> => {
        await this.memoryDelay;
        const held = session === undefined ? undefined : memory.states.get(session);
        const free = held && !held.live && (held.claimedBy ?? id) === id;
        const resumed = free ? decodeSnapshot(held.state) : undefined;
        if (held && free) memory.states.set(session ?? "", { ...held, claimedBy: id });
        if (resumed?.mining) return { extranonce1: resumed.mining.extranonce1, resumed };
        return { extranonce1: (memory.numbers++).toString(16).padStart(8, "0") };
      },
    };
  }
}

/** One miner at one instance, through an edge that numbers its lines and carries its state. */
export class Miner {
  readonly heard: string[] = [];
  readonly acknowledged: number[] = [];
  state: Uint8Array | undefined;
  closed: string | undefined;
  /** The broadcasts that it hears. */
  group: string | undefined;
  /** As an edge keeps it: what this client was sent last. */
  told: string | undefined;
  #read = 0;
  #line = 0;

  constructor(
    public instance: Instance,
    readonly connection: string,
    public handle = 1,
    open: { adopted?: boolean; listener?: string; state?: Uint8Array | undefined } = {},
  ) {
    this.state = open.state;
    this.open(open);
  }

  open({ adopted = false, listener = "default" } = {}): void {
    this.#read = this.instance.outs.length;
    this.instance.events({
      kind: "open",
      handle: this.handle as Handle,
      connection: this.connection as ConnectionId,
      remoteAddress: "192.0.2.1",
      remotePort: 1_000,
      listener,
      secure: false,
      adopted,
      ...(this.state && { state: this.state }),
      ...(this.told !== undefined && !adopted && { heard: this.told }),
    });
  }

  /** What an edge does when the instance is gone: the same connection, its newest state, at another one. */
  moveTo(instance: Instance, handle = this.handle + 1): void {
    this.instance = instance;
    this.handle = handle;
    this.group = undefined;
    this.open();
  }

  /** @param number the edge's; default the next one. */
  line(text: string | object, number = ++this.#line): number {
    const bytes = Buffer.from(typeof text === "string" ? text : JSON.stringify(text));
    this.instance.events({ kind: "line", handle: this.handle as Handle, number: number as LineNumber, bytes });
    return number;
  }

  /** What an edge does with a line that another instance did not acknowledge. */
  lineAgain(text: string | object, number: number): void {
    const bytes = Buffer.from(typeof text === "string" ? text : JSON.stringify(text));
    const facts = { handle: this.handle as Handle, number: number as LineNumber, bytes };
    this.instance.events({ kind: "line", ...facts, again: true });
  }

  close(reason: "client" | "asked" | "moved" = "client"): void {
    this.instance.events({ kind: "close", handle: this.handle as Handle, reason });
  }

  /** Everything that has come since the last look, line by line. */
  async hear(): Promise<string[]> {
    await new Promise((resolve) => setImmediate(resolve));
    const fresh: string[] = [];
    for (const out of this.instance.outs.slice(this.#read)) fresh.push(...this.#apply(out));
    this.#read = this.instance.outs.length;
    this.heard.push(...fresh);
    return fresh;
  }

  async ask(text: string | object): Promise<string[]> {
    this.line(text);
    return this.hear();
  }

  #apply(out: Out): string[] {
    if (out.kind === "broadcast") {
      if (this.group !== out.group) return [];
      this.told = out.heard;
      return textOf(out.bytes);
    }
    if (out.handle !== this.handle) return [];
    this.acknowledged.push(...(out.acknowledges ?? []));
    this.state = out.state ?? this.state;
    this.closed = out.close ?? this.closed;
    if (out.leave === this.group) this.group = undefined;
    this.group = out.join ?? this.group;
    this.told = out.heard ?? this.told;
    return out.bytes ? textOf(out.bytes) : [];
  }
}

const textOf = (bytes: Uint8Array): string[] => Buffer.from(bytes).toString().trimEnd().split("\n");
