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
//   P8. While a new edge starts, the one that stands by is kept: whenever nobody serves, succession.ts says who does. An edge that
//       reaches no backend does not take the place of one that does (reach.ts).

import type { EdgeSays, KeeperEvent, Origin } from "../../lib/contracts/index.js";
import { Confirming } from "./confirming.js";
import { Lending } from "./lending.js";
import type { Dead, EdgePort, KeeperHooks, KeeperLimits, KeptSocket, Reserved } from "./ports.js";
import { Reach } from "./reach.js";
import { type ClientMessage, Roll } from "./roll.js";
import { Standby } from "./standby.js";
import { type Starting, SUCCESSION } from "./succession.js";

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
/** An edge hears of its backends some tenths of a second after it is ready. */
const BLIND_MS = 2_000;
const BLIND =
  "it was killed: it reaches no backend, and the old edge does (see edge.backend, the cluster, and its log)";
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
  readonly #confirms = new WeakSet<EdgePort<Socket>>();
  readonly #reach = new Reach();
  /** P8. The starting one is ready, and waits: it reaches no backend, as the serving one does. */
  #held = false;
  readonly #confirming: Confirming<Socket>;
  #leaving: { readonly edge: EdgePort<Socket>; readonly callOff: () => void; done: boolean } | undefined;
  readonly #standby: Standby<Socket>;
  #servingSinceMs = 0;
  #backoffMs = BACKOFF_FIRST_MS;
  #startsLater = false;
  #stopping = false;
  #successor: EdgePort<Socket> | undefined;
  #deaths: Dead[] = [];

  constructor(
    readonly hooks: KeeperHooks<Socket>,
    readonly limits: KeeperLimits,
    first: Pick<Reserved, "firstEpoch" | "firstClient"> = { firstEpoch: 0, firstClient: 1 },
  ) {
    this.#nextEpoch = first.firstEpoch;
    this.#roll = new Roll(limits.clientsMax, first.firstClient, {
      serving: () => this.#serving,
      confirms: (edge) => {
        if (!this.#confirms.has(edge)) return false;
        this.#confirming.soon();
        return true;
      },
      dropped: (id) => hooks.learned?.({ kind: "drop", id }),
      lendable: () => lending.soon(),
    });
    const lending = new Lending(this.#roll, hooks.later);
    this.#confirming = new Confirming(this.#roll, {
      serving: () => this.#serving,
      later: hooks.later,
      log: hooks.log,
    });
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

  /** P8. Of the serving edge. */
  get reaches(): boolean {
    return this.#serving !== undefined && this.#reach.reaches(this.#serving);
  }

  start(): void {
    if (this.#stopping || this.#starting) return;
    this.#standby.dismissLoading();
    this.#starts(this.#fork(false));
  }

  /** P7. `fork` starts the process that takes over. Nothing happens while edges change. */
  upgrade(fork: (reserved: Reserved) => EdgePort<Socket>): void {
    if (this.#stopping || this.#starting || this.#leaving || this.#successor) {
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
    if (this.#leaving || this.#successor) this.hooks.log("hand-over asked for while one is going on: ignored");
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
  died({ pid, mark }: Dead): void {
    if (this.#serving) this.#serving.tell({ kind: "died", pid, mark });
    else if (this.#deaths.length < DEATHS_MAX) this.#deaths.push({ pid, mark });
  }

  heard(edge: EdgePort<Socket>, message: EdgeSays): void {
    if (this.#reach.heard(edge, message)) {
      if (edge === this.#serving) this.hooks.learned?.({ kind: "reach", reaches: this.reaches });
      this.#lookAgain();
    }
    switch (message.kind) {
      case "ready":
      case "standby":
        if (message.keeps) this.#keeps.add(edge);
        if (message.confirms) this.#confirms.add(edge);
        // One that is to stand by and says `ready` knows nothing of it, and does so all the same.
        if (message.kind === "standby" || edge === this.#standby.edge) this.#stands(edge);
        else this.#ready(edge);
        break;
      case "took":
        this.#roll.took(edge, message.ids);
        break;
      case "confirmed":
        this.#confirming.confirmed(edge, message.nth);
        break;
      case "missing":
        this.#confirming.missing(edge, [message.id]);
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
      if (this.#serving && !this.#starting && !this.#leaving && !this.#stopping) this.#standby.prepare();
    } else if (edge === this.#leaving?.edge) {
      this.#leaving.callOff();
      if (!this.#leaving.done) this.hooks.log(CUT_SHORT, { from: edge.epoch, to: this.#serving?.epoch });
      this.#leaving = undefined;
      this.#roll.giveAll(); // Whatever it did not release.
      this.#settle();
      this.#renewStandby();
    } else if (edge === this.#serving) this.#servingEnded();
    else if (edge === this.#starting) this.#startingEnded(heir, why);
    this.#fill();
    if (!heir && how !== WENT && edge.pid !== undefined) this.died({ pid: edge.pid, mark: edge.mark });
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
      this.#late ??= `it was killed: not ready within ${ms / 1_000} s (is Redis away? its log says more)`;
      edge.signal("SIGKILL");
    });
  }

  #servingEnded(): void {
    this.#serving = undefined;
    if (this.hooks.nowMs() - this.#servingSinceMs >= GROWN_UP_MS) this.#backoffMs = BACKOFF_FIRST_MS;
    for (const edge of [this.#starting, this.#standby.edge]) if (edge) this.hooks.hurry?.(edge);
  }

  #startingEnded(heir: boolean, how: string): void {
    this.#starting = undefined;
    this.#borrowing = undefined;
    this.#held = false;
    if (!this.#serving) return;
    if (!heir) this.hooks.log("hand-over failed: the new edge ended before it was ready; the old one stays", { how });
    this.#standby.prepare();
    this.#lendToStandby();
  }

  /** P8. If nobody serves, somebody does, or will. */
  #fill(): void {
    if (this.#serving || this.#stopping) return;
    const decision = SUCCESSION[this.#startingState][this.#standby.state];
    if (decision === "promote") this.#promote();
    else if (decision === "take-over" && this.#starting) this.#takesOver(this.#starting);
    else if (decision === "start") this.#startLater();
  }

  get #startingState(): Starting {
    if (!this.#starting) return "none";
    if (this.#held) return "blind";
    return this.#borrowing ? "ready" : "loading";
  }

  #ready(edge: EdgePort<Socket>): void {
    if (edge !== this.#starting || edge === this.#borrowing) return;
    const blind = !this.#reach.mayReplace(edge, this.#serving);
    this.#late = blind ? BLIND : undefined;
    if (blind && !this.#held) this.hooks.later(BLIND_MS, () => this.#complain(edge));
    this.#held = blind;
    if (blind) return;
    if (!this.#serving || !this.#keeps.has(edge)) {
      this.#takesOver(edge);
      return;
    }
    this.#borrowing = edge; // P6: the old one serves on meanwhile.
    this.#roll.lendTo(edge);
    this.#roll.lend(Number.POSITIVE_INFINITY);
    edge.tell({ kind: "tell-kept" });
  }

  #complain(edge: EdgePort<Socket>): void {
    if (edge !== this.#starting || !this.#held) return;
    const event = "a new edge is ready and reaches no backend, as the old one does: the old one serves on";
    this.hooks.log(event, { epoch: edge.epoch });
  }

  /** P8. What kept the starting one waiting may be over. */
  #lookAgain(): void {
    if (this.#held && this.#starting) this.#ready(this.#starting);
  }

  #takesOver(edge: EdgePort<Socket>): void {
    this.#starting = undefined;
    this.#borrowing = undefined;
    this.#held = false;
    const old = this.#serving;
    this.#serves(edge);
    if (old) this.#handOver(old); // P2
    this.#giveAll(edge);
    if (edge === this.#successor) this.#settle();
    else if (!old) this.#renewStandby(); // Else when the old one has left: the clients come first.
  }

  /** B1 of standby.ts: the next one is what would be started now. */
  #renewStandby(): void {
    if (this.#stopping || !this.#serving || this.#successor || this.#starting || this.#leaving) return;
    this.#standby.dismiss();
    this.#standby.prepare();
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
    this.#fill(); // The serving one may have died while this one was loading.
    this.#lendToStandby();
  }

  /** P6 */
  #lendToStandby(): void {
    const { edge, state } = this.#standby;
    if (edge && state === "standing" && this.#keeps.has(edge) && !this.#borrowing) this.#roll.lendTo(edge);
  }

  /** P5 */
  #promote(): void {
    const edge = this.#standby.take();
    if (!edge) return;
    this.#serves(edge);
    this.#giveAll(edge);
    if (!this.#starting && !this.#leaving) this.#standby.prepare(this.#nextBackoffMs());
  }

  #serves(edge: EdgePort<Socket>): void {
    this.#serving = edge;
    edge.tell({ kind: "serve" });
    this.#servingSinceMs = this.hooks.nowMs();
    const event = edge === this.#successor ? "successor ready" : "edge ready";
    this.hooks.log(event, { epoch: edge.epoch, clients: this.size });
    for (const dead of this.#deaths.splice(0)) edge.tell({ kind: "died", ...dead });
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
    if (this.#startsLater) return;
    this.#startsLater = true;
    this.hooks.later(this.#nextBackoffMs(), () => {
      this.#startsLater = false;
      if (!this.#serving) this.start();
    });
  }

  #nextBackoffMs(): number {
    const ms = this.#backoffMs;
    this.#backoffMs = Math.min(ms * 2, BACKOFF_MAX_MS);
    return ms;
  }
}
