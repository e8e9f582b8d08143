// switchboard: a switchboard among fake backends and clients, on a clock of its own.
//
//   const world = new World();   const backend = world.add();   const client = world.client("a");
//   world.board.line(client, bytes);   world.send(backend);   world.answer(backend);   world.answersOf(client)
//
// `backend.breaksOn` says on which events its handler throws.

import type { ClientEvent, ClientFacts, CloseReason, Handle, Out } from "../../lib/contracts/index.js";
import { type Instance, type InstanceId, instance } from "../../lib/wiring/index.js";
import type { Before, Connection } from "../../services/edge/connection.js";
import type { SwitchboardLimits } from "../../services/edge/ports.js";
import { Switchboard } from "../../services/edge/switchboard.js";

export const LIMITS: SwitchboardLimits = {
  linesMax: 4,
  bytesMax: 1_000,
  heldBytesMax: 100_000,
  drainMs: 1_000,
  suspectMs: 1_000,
  silenceTicks: 5,
  rebalancePerTick: 0,
};

/** A backend as a switchboard knows it: takes events, answers later; what it answers may be lost with it. */
export class FakeBackend {
  readonly id: InstanceId;
  state: Instance["state"] = "ready";
  listed = true;
  joined = true;
  readonly sessions = new Map<Handle, { connection: string; count: number }>();
  readonly outs: Out[] = [];
  readonly heard: ClientEvent[] = [];
  breaksOn: ((event: ClientEvent) => boolean) | undefined;

  constructor(name: string) {
    this.id = `lines-${name}` as InstanceId;
  }

  /** False: its handler threw in the middle; what it did before that stands. */
  hear(events: readonly ClientEvent[]): boolean {
    for (const event of events) {
      this.heard.push(event);
      if (this.breaksOn?.(event)) return false;
      if (event.kind === "open") {
        const count = event.state ? Number(Buffer.from(event.state).toString()) : 0;
        this.sessions.set(event.handle, { connection: event.connection, count });
      } else if (event.kind === "close") this.sessions.delete(event.handle);
      else this.#answer(event.handle, event);
    }
    return true;
  }

  #answer(handle: Handle, line: Extract<ClientEvent, { kind: "line" }>): void {
    const session = this.sessions.get(handle);
    if (!session) throw new Error(`${this.id} was told a line of a connection that it does not have`);
    const state = Buffer.from(`${++session.count}`);
    const bytes = Buffer.from(`${Buffer.from(line.bytes)}#${session.count}`);
    this.outs.push({ kind: "write", handle, acknowledges: [line.number], bytes, state });
  }

  get instance(): Instance {
    const fields = {
      service: "lines",
      id: this.id,
      host: "h",
      pid: 1,
      endpoint: "tcp://h:1",
      startedAt: 1,
      version: "1",
    };
    return instance.parse({ ...fields, state: this.state, meta: {} });
  }
}

/** A switchboard among fake backends and clients, on a clock of its own. */
export class World {
  nowMs = 0;
  readonly backends: FakeBackend[] = [];
  readonly expelled: string[] = [];
  readonly #probed = new Set<InstanceId>();
  #deaths = 0;
  readonly answers = new Map<Connection, string[]>();
  readonly board: Switchboard;
  #name = 0;

  constructor(limits: Partial<SwitchboardLimits> = {}) {
    const hooks = {
      wake: () => {},
      probe: (id: InstanceId) => void this.#probed.add(id),
      expelled: ({ facts }: Connection) => void this.expelled.push(facts.connection),
      count: () => {},
      nowMs: () => this.nowMs,
    };
    this.board = new Switchboard(3, { ...LIMITS, ...limits }, hooks);
  }

  client(name: string, facts: Partial<ClientFacts> = {}, before: Before = { adopted: false }): Connection {
    const got: string[] = [];
    const port = {
      write: (bytes: Uint8Array) => void got.push(Buffer.from(bytes).toString()),
      end: (reason: CloseReason) => this.board.close(connection, reason),
      stated: () => {},
      relieved: () => {},
    };
    const plain = {
      connection: name,
      listener: "plain",
      remoteAddress: "::1",
      remotePort: 1,
      secure: false,
      local: false,
    };
    const connection: Connection = this.board.open({ ...plain, ...facts }, port, before);
    this.answers.set(connection, got);
    return connection;
  }

  answersOf(connection: Connection): string[] {
    return this.answers.get(connection) ?? [];
  }

  add(): FakeBackend {
    const backend = new FakeBackend(`${++this.#name}`);
    this.backends.push(backend);
    this.tell();
    this.board.joined(backend.id);
    return backend;
  }

  tell(): void {
    this.board.listed(this.backends.filter(({ listed }) => listed).map((backend) => backend.instance));
  }

  /** One `events` call. Returns whether there was anything to say. */
  send(
    backend: FakeBackend,
    outcome: "taken" | "later" | "refused" | "failed-done" | "failed-undone" = "taken",
  ): boolean {
    const batch = this.board.batch(backend.id);
    if (!batch) return false;
    if (outcome === "taken" && !backend.hear(batch)) {
      this.board.threw(backend.id, batch);
      return true;
    }
    if (outcome === "failed-done") backend.hear(batch);
    if (outcome === "taken") this.board.taken(backend.id, batch);
    if (outcome === "refused") this.board.refused(backend.id, batch);
    if (outcome.startsWith("failed")) this.board.failed(backend.id, batch);
    return true;
  }

  answer(backend: FakeBackend): void {
    this.board.apply(backend.id, backend.outs.splice(0));
  }

  /** Without a goodbye for the first two: more deaths could be a client's fault. */
  kill(backend: FakeBackend, died = this.#deaths++ < 2): void {
    this.backends.splice(this.backends.indexOf(backend), 1);
    this.board.left(backend.id, died);
    this.tell();
  }

  /** Probes that arrived at backends which live are answered. */
  answerProbes(): void {
    for (const { id } of this.backends) if (this.#probed.delete(id)) this.board.heard(id);
  }

  ticks(count: number): void {
    for (let i = 0; i < count; i++) {
      this.nowMs += 100;
      this.board.tick();
    }
  }

  drain(backend: FakeBackend): void {
    backend.state = "draining";
    this.tell();
  }

  /** Everything that can be said and answered is, until there is nothing more. */
  settle(): void {
    for (let round = 0; round < 20; round++) {
      this.nowMs += 500;
      this.board.tick();
      for (const backend of [...this.backends]) {
        while (this.send(backend)) this.answer(backend);
        this.answer(backend);
      }
      this.answerProbes();
    }
  }
}

export const line = (world: World, connection: Connection, text: string): void =>
  world.board.line(connection, Buffer.from(text));
