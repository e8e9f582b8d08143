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
//   P6. Whoever may serve next is lent every client's socket ahead (roll.ts), so that no client waits for its turn in a channel.
//   P7. A successor (K6 of the contract) is an edge to us: it is given every client. We keep ours until it has them all, so its
//       death before that costs nothing. Numbers it may use are set aside for it, so that none is used twice.

import type { EdgeSays, KeeperEvent, KeeperSays, Origin } from "../../lib/contracts/index.js";
import { Lending } from "./lending.js";
import { type ClientMessage, Roll } from "./roll.js";
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
  /** Starts an edge, a patient one behind everybody else until it is ready; what it says and its end come back through `heard` and `ended`. */
  fork(epoch: number, standby: boolean, patient: boolean): EdgePort<Socket>;
  /** Nobody serves: this one, which is loading, is needed as soon as can be. */
  hurry?(edge: EdgePort<Socket>): void;
  /** Calls back once, later. Returns the way to call it off. */
  later(ms: number, what: () => void): () => void;
  nowMs(): number;
  log(event: KeeperEvent, fields?: Readonly<Record<string, unknown>>): void;
  /** An edge serves from now on. */
  serves?(edge: EdgePort<Socket>): void;
  /** What a predecessor has to know while it still holds its duplicates. */
  learned?(message: Extract<EdgeSays, { kind: "meta" | "states" | "drop" }>): void;
  /** P6: what the predecessor lent us has arrived at our edge. */
  kept?(): void;
  /** P7: the successor has been given everything. */
  settled?(successor: EdgePort<Socket>): void;
}

/** P7 */
export interface Reserved {
  readonly epoch: number;
  readonly firstEpoch: number;
  readonly firstClient: number;
}

export interface KeeperLimits {
  /** Clients kept at a time; two file descriptors of the process' limit each, while they are being sent. */
  readonly clientsMax: number;
  /** A hand-over that takes longer is ended by killing the old edge: its clients stay, what it had read is lost. */
  readonly handoverMs: number;
  /** Whether an edge is kept standing by (P5). */
  readonly standby: boolean;
}

const BACKOFF_FIRST_MS = 20;
const BACKOFF_MAX_MS = 5_000;
/** An edge that served this long did not die young: the next one starts at once again. */
const GROWN_UP_MS = 10_000;
/** An edge that is not ready by then never will be: it is killed, and P4 goes on. */
const READY_MS = 60_000;
/** The same where another edge serves: whoever asked for the hand-over hears why there was none, and may ask again. */
const READY_PLANNED_MS = 20_000;

/** P7: edges that a successor may start before its predecessor has gone, and clients that we may accept meanwhile. */
const EPOCHS_RESERVED = 100;
const CLIENTS_RESERVED = 1_000_000_000;
/** How an edge ends that has left discovery itself. */
const WENT = "exit code 0";
const CUT_SHORT: KeeperEvent =
  "hand-over cut short: the old edge ended, and clients it had not released are given as it had told of them";
/** Deaths told to no edge yet: more are left to the heartbeats' end. */
const DEATHS_MAX = 32;

export class Keeper<Socket extends KeptSocket> {
  readonly #roll: Roll<Socket>;
  #nextEpoch: number;
  #late: string | undefined;
  #serving: EdgePort<Socket> | undefined;
  #starting: EdgePort<Socket> | undefined;
  /** P6. The starting one, once it is ready, while sockets are on their way to it. */
  #borrowing: EdgePort<Socket> | undefined;
  readonly #keeps = new WeakSet<EdgePort<Socket>>();
  #leaving: { readonly edge: EdgePort<Socket>; readonly callOff: () => void; done: boolean } | undefined;
  readonly #standby: Standby<Socket>;
  #servingSinceMs = 0;
  #backoffMs = BACKOFF_FIRST_MS;
  #stopping = false;
  #successor: EdgePort<Socket> | undefined;
  #deaths: number[] = [];

  constructor(
    readonly hooks: KeeperHooks<Socket>,
    readonly limits: KeeperLimits,
    first: Pick<Reserved, "firstEpoch" | "firstClient"> = { firstEpoch: 0, firstClient: 1 },
  ) {
    this.#nextEpoch = first.firstEpoch;
    this.#roll = new Roll(limits.clientsMax, first.firstClient, {
      serving: () => this.#serving,
      dropped: (id) => hooks.learned?.({ kind: "drop", id }),
      lendable: () => lending.soon(),
    });
    const lending = new Lending(this.#roll, hooks.later);
    this.#standby = new Standby(limits.standby, {
      fork: () => this.#fork(true),
      later: hooks.later,
      log: hooks.log,
    });
  }

  /** Clients closed because of P3. */
  get refused(): number {
    return this.#roll.refused;
  }

  get size(): number {
    return this.#roll.size;
  }

  start(): void {
    if (this.#stopping || this.#starting) return;
    this.#standby.dismiss(); // What it has loaded may be older than what starts now.
    this.#starts(this.#fork(false));
  }

  /** P7. `fork` starts the process that takes over. Nothing happens while edges change. */
  upgrade(fork: (reserved: Reserved) => EdgePort<Socket>): void {
    if (this.#stopping || this.#starting || this.#leaving) {
      this.hooks.log("upgrade asked for while edges change: ignored");
      return;
    }
    const epoch = this.#nextEpoch;
    this.#nextEpoch += EPOCHS_RESERVED;
    const successor = fork({ epoch, firstEpoch: epoch + 1, firstClient: this.#roll.nextId + CLIENTS_RESERVED });
    this.#successor = successor;
    this.hooks.log("successor started", { epoch, edgePid: successor.pid, clients: this.size });
    this.#starts(successor);
  }

  /** Planned: starts a new edge, which takes over once it is ready. Nothing happens while one is being started. */
  replace(): void {
    if (this.#leaving) this.hooks.log("hand-over asked for while one is going on: ignored");
    else this.start();
  }

  accept(socket: Socket, origin: Origin): void {
    this.#roll.accept(socket, origin, !this.#stopping); // P3
  }

  /** A client that the predecessor gives us. False: it has gone meanwhile. */
  adopt(socket: Socket | undefined, message: ClientMessage): boolean {
    return this.#roll.adopt(socket, message);
  }

  /** P6. A client that the predecessor will give us. */
  ahead(id: number, socket: Socket): void {
    this.#roll.ahead(id, socket, this.#holder);
  }

  /** A client that the predecessor will not give us after all. */
  forget(id: number): void {
    this.#roll.forget(id);
  }

  /** None of them will be given any more. */
  forgetAhead(): void {
    this.#roll.forgetAhead();
  }

  /** P6. Calls `kept` when all that is ahead has arrived where it will be needed. */
  tellKept(): void {
    const holder = this.#holder;
    if (holder) holder.tell({ kind: "tell-kept" });
    else this.hooks.kept?.();
  }

  /** An edge that somebody else saw end. */
  died(pid: number): void {
    if (this.#serving) this.#serving.tell({ kind: "died", pid });
    else if (this.#deaths.length < DEATHS_MAX) this.#deaths.push(pid);
  }

  heard(edge: EdgePort<Socket>, message: EdgeSays): void {
    switch (message.kind) {
      case "ready":
        if (message.keeps) this.#keeps.add(edge);
        if (edge === this.#standby.edge)
          this.#stands(edge); // It knows nothing of standing by, and does so all the same.
        else this.#ready(edge);
        break;
      case "standby":
        if (message.keeps) this.#keeps.add(edge);
        this.#stands(edge);
        break;
      case "kept":
        if (edge === this.#borrowing) this.#takesOver(edge);
        else if (edge === this.#serving) this.hooks.kept?.();
        break;
      case "drop":
        this.#roll.drop(message.id);
        break;
      case "leaving":
        if (edge === this.#serving) this.replace();
        break;
      case "meta":
        this.#roll.learn(message.id, message.facts); // P1
        this.hooks.learned?.(message);
        break;
      case "states":
        for (const { id, state } of message.states) this.#roll.remember(edge, id, state); // P1
        this.hooks.learned?.(message);
        break;
      case "released":
        this.#roll.released(edge, message.id, message.carried);
        break;
      case "released-all":
        if (edge === this.#leaving?.edge) this.#leaving.done = true;
        this.hooks.log("hand-over done", { from: edge.epoch, to: this.#serving?.epoch });
    }
  }

  ended(edge: EdgePort<Socket>, how: string): void {
    const heir = edge === this.#successor;
    if (heir) this.#successor = undefined;
    const why = edge === this.#starting ? (this.#late ?? how) : how;
    if (heir) this.hooks.log("upgrade failed: the successor ended; this keeper stays", { epoch: edge.epoch, how: why });
    else this.hooks.log("edge ended", { epoch: edge.epoch, how, clients: this.size });
    this.#roll.lost(edge.epoch);
    if (this.#standby.ended(edge)) {
      if (this.#serving && !this.#stopping) this.#standby.prepare();
      else if (!this.#serving && !this.#starting) this.#startLater();
    } else if (edge === this.#leaving?.edge) {
      this.#leaving.callOff();
      if (!this.#leaving.done) this.hooks.log(CUT_SHORT, { from: edge.epoch, to: this.#serving?.epoch });
      this.#leaving = undefined;
      this.#roll.giveAll(); // Whatever it did not release.
      this.#settle();
      if (this.#serving && !this.#successor && !this.#stopping) this.#standby.prepare();
    } else if (edge === this.#serving) this.#servingEnded();
    else if (edge === this.#starting) this.#startingEnded(heir, why);
    if (!heir && how !== WENT && edge.pid !== undefined) this.died(edge.pid);
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
    this.#roll.dropAll();
  }

  /** The serving edge, if it keeps what it is lent. */
  get #holder(): EdgePort<Socket> | undefined {
    return this.#serving && this.#keeps.has(this.#serving) ? this.#serving : undefined;
  }

  #starts(edge: EdgePort<Socket>): void {
    this.#starting = edge;
    this.#late = undefined;
    const ms = this.#serving ? READY_PLANNED_MS : READY_MS;
    this.hooks.later(ms, () => {
      if (this.#starting !== edge) return;
      this.#late = `it was killed: not ready within ${ms / 1_000} s (is Redis away? its log says more)`;
      edge.signal("SIGKILL");
    });
  }

  #servingEnded(): void {
    this.#serving = undefined;
    if (this.hooks.nowMs() - this.#servingSinceMs >= GROWN_UP_MS) this.#backoffMs = BACKOFF_FIRST_MS;
    for (const edge of [this.#starting, this.#standby.edge]) if (edge) this.hooks.hurry?.(edge);
    if (this.#borrowing) this.#takesOver(this.#borrowing);
    else if (!this.#starting && !this.#promote() && !this.#standby.loading) this.#startLater();
  }

  #startingEnded(heir: boolean, how: string): void {
    this.#starting = undefined;
    this.#borrowing = undefined;
    if (!this.#serving) this.#startLater();
    else {
      if (!heir) this.hooks.log("hand-over failed: the new edge ended before it was ready; the old one stays", { how });
      this.#standby.prepare();
    }
  }

  #ready(edge: EdgePort<Socket>): void {
    if (edge !== this.#starting || edge === this.#borrowing) return;
    if (!this.#serving || !this.#keeps.has(edge)) {
      this.#takesOver(edge);
      return;
    }
    this.#borrowing = edge; // P6: the old one serves on meanwhile.
    this.#roll.lendTo(edge);
    this.#roll.lend(Number.POSITIVE_INFINITY);
    edge.tell({ kind: "tell-kept" });
  }

  #takesOver(edge: EdgePort<Socket>): void {
    this.#starting = undefined;
    this.#borrowing = undefined;
    const old = this.#serving;
    this.#serves(edge);
    if (old) this.#handOver(old); // P2
    this.#giveAll(edge);
    if (edge === this.#successor) this.#settle();
    else if (!old) this.#standby.prepare(); // Else when the old one has left: the clients come first.
  }

  #giveAll(edge: EdgePort<Socket>): void {
    this.#roll.giveAll();
    if (this.size > 0) edge.tell({ kind: "all" });
  }

  /** P7 */
  #settle(): void {
    const successor = this.#successor;
    if (!successor || successor !== this.#serving || this.#leaving) return;
    this.#standby.dismiss(); // Until here it would have taken over from a successor that died.
    this.hooks.settled?.(successor);
  }

  #stands(edge: EdgePort<Socket>): void {
    this.#standby.stands(edge);
    if (!this.#serving && !this.#starting)
      this.#promote(); // The serving one died while this one was loading.
    else if (edge === this.#standby.edge && this.#keeps.has(edge)) this.#roll.lendTo(edge); // P6
  }

  /** P5. False: nobody stands by. */
  #promote(): boolean {
    const edge = this.#stopping ? undefined : this.#standby.take();
    if (!edge) return false;
    edge.tell({ kind: "serve" });
    this.#serves(edge);
    this.#giveAll(edge);
    this.#standby.prepare(this.#nextBackoffMs());
    return true;
  }

  #serves(edge: EdgePort<Socket>): void {
    this.#serving = edge;
    this.#servingSinceMs = this.hooks.nowMs();
    const event = edge === this.#successor ? "successor ready" : "edge ready";
    this.hooks.log(event, { epoch: edge.epoch, clients: this.size });
    for (const pid of this.#deaths.splice(0)) edge.tell({ kind: "died", pid });
    this.hooks.serves?.(edge);
  }

  #fork(standby: boolean): EdgePort<Socket> {
    const edge = this.hooks.fork(this.#nextEpoch++, standby, this.#serving !== undefined);
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
    this.#leaving = { edge: old, callOff, done: false };
    old.tell({ kind: "handover" });
  }

  /** P4 */
  #startLater(): void {
    if (this.#stopping) return;
    this.hooks.later(this.#nextBackoffMs(), () => {
      if (!this.#serving) this.start();
    });
  }

  #nextBackoffMs(): number {
    const ms = this.#backoffMs;
    this.#backoffMs = Math.min(ms * 2, BACKOFF_MAX_MS);
    return ms;
  }
}
