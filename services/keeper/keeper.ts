// The keeper's memory: which clients there are, which edge has each of them, and who gets them when that edge is gone.
//
//   in-clients --accept--> Keeper --give--> out-edge (the edge process)
//                             ^---meta, drop, released, exit---|
//
//   P1. A client that no edge has is given to the next edge that says `ready`, with all that earlier edges told of it.
//   P2. One edge serves. During a hand-over a second one gives its clients back, and takes none.
//   P3. At most `clientsMax` clients are kept: the next one is closed at once and counted.
//   P4. An edge that dies is followed by another after a delay that doubles from 20 ms to 5 s while edges die young.
//   P5. Where one stands by (standby.ts) it follows at once, and the delay is that of the next one to stand by.

import type { Carried, ClientFacts, EdgeSays, KeeperSays, Origin } from "../../lib/contracts/index.js";
import { Standby } from "./standby.js";

/** A client's connection; what it is beyond this, only the doors and the edges know. */
export interface KeptSocket {
  destroy(): unknown;
  on(event: "error", listener: () => void): unknown;
}

/** An edge process, as the keeper sees it. */
export interface EdgePort<Socket> {
  readonly epoch: number;
  readonly pid: number | undefined;
  tell(message: KeeperSays, socket?: Socket): void;
  signal(name: "SIGTERM" | "SIGKILL"): void;
}

export interface KeeperHooks<Socket> {
  /** Starts an edge; what it says and its end come back through `heard` and `ended`. */
  fork(epoch: number, standby: boolean): EdgePort<Socket>;
  /** Calls back once, later. Returns the way to call it off. */
  later(ms: number, what: () => void): () => void;
  nowMs(): number;
  log(event: string, fields?: Readonly<Record<string, unknown>>): void;
}

export interface KeeperLimits {
  /** Clients kept at a time; two file descriptors of the process' limit each, while they are being sent. */
  readonly clientsMax: number;
  /** A hand-over that takes longer is ended by killing the old edge: its clients stay, what it had read is lost. */
  readonly handoverMs: number;
  /** Whether an edge is kept standing by (P5). */
  readonly standby: boolean;
}

interface Kept<Socket> {
  readonly socket: Socket;
  readonly origin: Origin;
  /** Epoch of the edge that has it; undefined: none. */
  at: number | undefined;
  adopted: boolean;
  facts?: ClientFacts;
  carried?: Carried | undefined;
}

const BACKOFF_FIRST_MS = 20;
const BACKOFF_MAX_MS = 5_000;
/** An edge that served this long did not die young: the next one starts at once again. */
const GROWN_UP_MS = 10_000;
/** An edge that is not ready by then never will be: it is killed, and P4 goes on. */
const READY_MS = 60_000;

export class Keeper<Socket extends KeptSocket> {
  readonly #clients = new Map<number, Kept<Socket>>();
  #nextId = 1;
  #nextEpoch = 0;
  #serving: EdgePort<Socket> | undefined;
  #starting: EdgePort<Socket> | undefined;
  #leaving: { readonly edge: EdgePort<Socket>; readonly callOff: () => void } | undefined;
  readonly #standby: Standby<Socket>;
  #servingSinceMs = 0;
  #backoffMs = BACKOFF_FIRST_MS;
  #stopping = false;
  /** Clients closed because of P3. */
  refused = 0;

  constructor(
    readonly hooks: KeeperHooks<Socket>,
    readonly limits: KeeperLimits,
  ) {
    this.#standby = new Standby(limits.standby, {
      fork: () => this.#fork(true),
      later: hooks.later,
      log: hooks.log,
    });
  }

  get size(): number {
    return this.#clients.size;
  }

  start(): void {
    if (this.#stopping || this.#starting) return;
    this.#standby.dismiss(); // What it has loaded may be older than what starts now.
    const edge = this.#fork(false);
    this.#starting = edge;
    this.hooks.later(READY_MS, () => {
      if (this.#starting === edge) edge.signal("SIGKILL");
    });
  }

  /** Planned: starts a new edge, which takes over once it is ready. Nothing happens while one is being started. */
  replace(): void {
    if (this.#leaving) this.hooks.log("hand-over asked for while one is going on: ignored");
    else this.start();
  }

  accept(socket: Socket, origin: Origin): void {
    if (this.#stopping || this.size >= this.limits.clientsMax) {
      this.refused++; // P3
      socket.destroy();
      return;
    }
    const id = this.#nextId++;
    const kept: Kept<Socket> = { socket, origin, at: undefined, adopted: false };
    this.#clients.set(id, kept);
    socket.on("error", () => this.#drop(id)); // Nothing is read or written here, so this is rare; the fd is useless then.
    this.#give(id, kept);
  }

  heard(edge: EdgePort<Socket>, message: EdgeSays): void {
    switch (message.kind) {
      case "ready":
        if (edge === this.#standby.edge)
          this.#stands(edge); // It knows nothing of standing by, and does so all the same.
        else this.#ready(edge);
        break;
      case "standby":
        this.#stands(edge);
        break;
      case "drop":
        this.#drop(message.id);
        break;
      case "leaving":
        if (edge === this.#serving) this.replace();
        break;
      case "meta": {
        const kept = this.#clients.get(message.id);
        if (kept) kept.facts = message.facts;
        break;
      }
      case "released":
        this.#released(edge, message.id, message.carried);
        break;
      case "released-all":
        this.hooks.log("hand-over done", { from: edge.epoch, to: this.#serving?.epoch });
    }
  }

  ended(edge: EdgePort<Socket>, how: string): void {
    this.hooks.log("edge ended", { epoch: edge.epoch, how, clients: this.size });
    for (const kept of this.#clients.values()) if (kept.at === edge.epoch) kept.at = undefined;
    if (this.#standby.ended(edge)) {
      if (this.#serving) this.#standby.prepare();
      else if (!this.#starting) this.#startLater();
    } else if (edge === this.#leaving?.edge) {
      this.#leaving.callOff();
      this.#leaving = undefined;
      this.#giveAll(); // Whatever it did not release.
    } else if (edge === this.#serving) {
      this.#serving = undefined;
      if (this.hooks.nowMs() - this.#servingSinceMs >= GROWN_UP_MS) this.#backoffMs = BACKOFF_FIRST_MS;
      if (!this.#starting && !this.#promote() && !this.#standby.loading) this.#startLater();
    } else if (edge === this.#starting) {
      this.#starting = undefined;
      if (this.#serving) {
        this.hooks.log("hand-over failed: the new edge ended before it was ready; the old one stays");
        this.#standby.prepare();
      } else this.#startLater();
    }
  }

  /** Tells every edge to end, or ends it. The clients are closed by `closeAll`, once the edges had the chance to say goodbye. */
  stop(signal: "SIGTERM" | "SIGKILL" = "SIGTERM"): void {
    this.#stopping = true;
    for (const edge of [this.#serving, this.#starting, this.#leaving?.edge, this.#standby.edge]) {
      edge?.tell({ kind: "stop" });
      edge?.signal(signal);
    }
  }

  closeAll(): void {
    for (const id of [...this.#clients.keys()]) this.#drop(id);
  }

  #ready(edge: EdgePort<Socket>): void {
    if (edge !== this.#starting) return;
    this.#starting = undefined;
    const old = this.#serving;
    this.#serves(edge);
    if (old) this.#handOver(old); // P2
    this.#giveAll();
    this.#standby.prepare();
  }

  #stands(edge: EdgePort<Socket>): void {
    this.#standby.stands(edge);
    if (!this.#serving && !this.#starting) this.#promote(); // The serving one died while this one was loading.
  }

  /** P5. False: nobody stands by. */
  #promote(): boolean {
    const edge = this.#stopping ? undefined : this.#standby.take();
    if (!edge) return false;
    edge.tell({ kind: "serve" });
    this.#serves(edge);
    this.#giveAll();
    this.#standby.prepare(this.#nextBackoffMs());
    return true;
  }

  #serves(edge: EdgePort<Socket>): void {
    this.#serving = edge;
    this.#servingSinceMs = this.hooks.nowMs();
    this.hooks.log("edge ready", { epoch: edge.epoch, clients: this.size });
  }

  #fork(standby: boolean): EdgePort<Socket> {
    const edge = this.hooks.fork(this.#nextEpoch++, standby);
    this.hooks.log("edge started", { epoch: edge.epoch, edgePid: edge.pid, standby, clients: this.size });
    return edge;
  }

  #handOver(old: EdgePort<Socket>): void {
    const callOff = this.hooks.later(this.limits.handoverMs, () => {
      this.hooks.log("hand-over took too long: the old edge is killed", {
        epoch: old.epoch,
        ms: this.limits.handoverMs,
      });
      old.signal("SIGKILL");
    });
    this.#leaving = { edge: old, callOff };
    old.tell({ kind: "handover" });
  }

  #giveAll(): void {
    for (const [id, kept] of this.#clients) this.#give(id, kept);
  }

  /** P1 */
  #give(id: number, kept: Kept<Socket>): void {
    if (!this.#serving || kept.at !== undefined) return;
    const { origin, facts, carried, adopted } = kept;
    kept.at = this.#serving.epoch;
    kept.carried = undefined;
    kept.adopted = true;
    this.#serving.tell({ kind: "client", id, origin, facts, carried, adopted }, kept.socket);
  }

  #released(edge: EdgePort<Socket>, id: number, carried: Carried): void {
    const kept = this.#clients.get(id);
    if (kept?.at !== edge.epoch) return;
    kept.carried = carried;
    kept.at = undefined;
    this.#give(id, kept);
  }

  /** P4 */
  #startLater(): void {
    if (this.#stopping) return;
    this.hooks.later(this.#nextBackoffMs(), () => this.start());
  }

  #nextBackoffMs(): number {
    const ms = this.#backoffMs;
    this.#backoffMs = Math.min(ms * 2, BACKOFF_MAX_MS);
    return ms;
  }

  #drop(id: number): void {
    this.#clients.get(id)?.socket.destroy();
    this.#clients.delete(id);
  }
}
