// The roll: every client that the keeper holds, which edge has each, and what is known of it.
//
//   accept, adopt --> Roll --give--> the serving edge          released, lost --> to be given again
//
//   R1. A client that no edge has is given to the serving one, with all that earlier edges told of it.
//   R2. At most `max` clients are kept: the next one is closed at once and counted.
//   R3. One edge at a time is lent duplicates, a few at once, so that it can be given the clients themselves by a word (K7 of the
//       contract). Whoever lends no more forgets nothing: what an edge has been lent is told to it until the client is gone.
//   R4. What a predecessor lends us is lent on to the edge that will have it.
//   R5. A client's state (K8 of the contract) is a copy of its own, of at most STATE_BYTES_MAX: no message is held for it.
//   R6. A client that an edge, which confirms what it takes (K12), has not confirmed when it answers a later question is given to it once
//       more; after that it is closed, which is better than never being served.

import type { Carried, ClientFacts, KeeperSays, Origin } from "../../lib/contracts/index.js";
import type { EdgePort, KeptSocket } from "./ports.js";

/** As the lines' contract has it, which brings packages with it. */
const STATE_BYTES_MAX = 4_096;

export type ClientMessage = Extract<KeeperSays, { kind: "client" }>;

interface Kept<Socket> {
  readonly socket: Socket;
  readonly origin: Origin;
  /** Epoch of the edge that has it; undefined: none. */
  at: number | undefined;
  adopted: boolean;
  facts?: ClientFacts | undefined;
  carried?: Carried | undefined;
  /** R5 */
  state?: Uint8Array | undefined;
  /** R3. Mostly none or one; a second one while edges change. */
  lent: readonly EdgePort<Socket>[];
  /** R6. Given as the n-th and not confirmed, with what was carried, so often. */
  unconfirmed?: { readonly nth: number; readonly times: number; readonly carried: Carried | undefined } | undefined;
}

/** Shared: most clients are lent to nobody in particular. */
const NOBODY: readonly never[] = [];

/** A predecessor's client, ahead of the day on which it is ours (R4). */
interface Ahead<Socket> {
  readonly socket: Socket;
  lent: EdgePort<Socket> | undefined;
}

/** R6. Of giving one client to one edge. */
const TIMES_MAX = 2;

export interface RollHooks<Socket> {
  /** R6. Whether it does; it is asked a little later. */
  confirms(edge: EdgePort<Socket>): boolean;
  serving(): EdgePort<Socket> | undefined;
  /** A client is gone. */
  dropped(id: number): void;
  /** There is somebody to lend to, and somebody to be lent (R3). */
  lendable(): void;
}

export class Roll<Socket extends KeptSocket> {
  readonly #clients = new Map<number, Kept<Socket>>();
  #borrower: EdgePort<Socket> | undefined;
  readonly #unlent = new Set<number>();
  readonly #ahead = new Map<number, Ahead<Socket>>();
  /** Clients closed because of R2. */
  refused = 0;
  /** R6. How many clients were given, to whomever. */
  given = 0;

  constructor(
    readonly max: number,
    /** Of the next client that comes in. */
    public nextId: number,
    private readonly hooks: RollHooks<Socket>,
  ) {}

  get size(): number {
    return this.#clients.size;
  }

  /** @param welcome False: nobody is taken any more. */
  accept(socket: Socket, origin: Origin, welcome: boolean): void {
    if (welcome && this.size < this.max) {
      this.#keep(this.nextId++, { socket, origin, at: undefined, adopted: false, lent: NOBODY });
      return;
    }
    this.refused++; // R2
    socket.destroy();
  }

  /** A predecessor's client that may become ours. @param to The edge that would get it, if that one keeps what it is lent. */
  ahead(id: number, socket: Socket, to: EdgePort<Socket> | undefined): void {
    this.forget(id);
    socket.on("error", () => this.forget(id));
    this.#ahead.set(id, { socket, lent: to });
    to?.tell({ kind: "keep", id }, socket);
  }

  /** It is gone before it became ours. */
  forget(id: number): void {
    const ahead = this.#ahead.get(id);
    this.#ahead.delete(id);
    ahead?.socket.destroy();
    ahead?.lent?.tell({ kind: "forget", id });
  }

  forgetAhead(): void {
    for (const id of [...this.#ahead.keys()]) this.forget(id);
  }

  /** A client that a predecessor gives us, under its number. False: it has gone meanwhile. */
  adopt(given: Socket | undefined, { id, origin, facts, carried, state, adopted, kept }: ClientMessage): boolean {
    const ahead = kept ? this.#ahead.get(id) : undefined;
    if (ahead) this.#ahead.delete(id);
    else this.forget(id);
    const socket = given ?? ahead?.socket;
    const known = { facts, carried, state: copied(carried?.state ?? state) };
    if (socket)
      this.#keep(id, { socket, origin, at: undefined, adopted, ...known, lent: ahead?.lent ? [ahead.lent] : NOBODY });
    return socket !== undefined;
  }

  learn(id: number, facts: ClientFacts): void {
    const kept = this.#clients.get(id);
    if (kept) kept.facts = facts;
  }

  /** R5. Only the edge that has the client knows. */
  remember(edge: EdgePort<Socket>, id: number, state: Uint8Array): void {
    const kept = this.#clients.get(id);
    if (kept?.at === edge.epoch) kept.state = copied(state) ?? kept.state;
  }

  /** An edge gives a client back. */
  released(edge: EdgePort<Socket>, id: number, carried: Carried): void {
    const kept = this.#clients.get(id);
    if (kept?.at !== edge.epoch) return;
    kept.carried = carried;
    kept.state = copied(carried.state) ?? kept.state;
    kept.at = undefined;
    this.#give(id, kept);
  }

  /** R6 */
  took(edge: EdgePort<Socket>, ids: readonly number[]): void {
    for (const id of ids) {
      const kept = this.#clients.get(id);
      if (kept?.at === edge.epoch) kept.unconfirmed = undefined;
    }
  }

  /** R6. It was given to that edge, which has not got it. */
  missing(edge: EdgePort<Socket>, id: number): "again" | "closed" | "other" {
    const kept = this.#clients.get(id);
    if (kept?.at !== edge.epoch || !kept.unconfirmed) return "other";
    if (kept.unconfirmed.times >= TIMES_MAX) {
      this.drop(id);
      edge.tell({ kind: "forget", id });
      return "closed";
    }
    kept.carried = kept.unconfirmed.carried;
    kept.at = undefined;
    this.#give(id, kept);
    return "again";
  }

  /** R6. Those of the first n given ones that have not arrived. */
  unconfirmed(edge: EdgePort<Socket>, n: number): number[] {
    const late: number[] = [];
    for (const [id, { at, unconfirmed }] of this.#clients)
      if (at === edge.epoch && unconfirmed && unconfirmed.nth <= n) late.push(id);
    return late;
  }

  /** An edge has ended: nobody has its clients. */
  lost(epoch: number): void {
    for (const kept of this.#clients.values()) {
      if (kept.at === epoch) {
        kept.at = undefined;
        kept.unconfirmed = undefined;
      }
      if (kept.lent.length > 0) kept.lent = kept.lent.filter((edge) => edge.epoch !== epoch);
    }
    for (const ahead of this.#ahead.values()) if (ahead.lent?.epoch === epoch) ahead.lent = undefined;
    if (this.#borrower?.epoch === epoch) this.lendTo(undefined);
  }

  /** R3. Nothing is lent yet: `lend` does. Undefined: to nobody any more. */
  lendTo(edge: EdgePort<Socket> | undefined): void {
    this.#borrower = edge;
    this.#unlent.clear();
    if (!edge) return;
    for (const [id, kept] of this.#clients) if (!kept.lent.includes(edge)) this.#unlent.add(id);
    if (this.#unlent.size > 0) this.hooks.lendable();
  }

  /** At most so many. @returns how many are left. */
  lend(most: number): number {
    const edge = this.#borrower;
    let count = 0;
    for (const id of this.#unlent) {
      if (!edge || count++ === most) break;
      this.#unlent.delete(id);
      const kept = this.#clients.get(id);
      if (!kept || kept.at === edge.epoch) continue;
      kept.lent = [...kept.lent, edge];
      edge.tell({ kind: "keep", id }, kept.socket);
    }
    return this.#unlent.size;
  }

  giveAll(): void {
    for (const [id, kept] of this.#clients) this.#give(id, kept);
  }

  drop(id: number): void {
    const kept = this.#clients.get(id);
    kept?.socket.destroy();
    for (const edge of kept?.lent ?? NOBODY) edge.tell({ kind: "forget", id });
    this.#unlent.delete(id);
    if (this.#clients.delete(id)) this.hooks.dropped(id);
  }

  dropAll(): void {
    for (const id of [...this.#clients.keys()]) this.drop(id);
  }

  #keep(id: number, kept: Kept<Socket>): void {
    this.#clients.set(id, kept);
    kept.socket.on("error", () => this.drop(id)); // Nothing is read or written here, so this is rare; the fd is useless then.
    this.#give(id, kept);
    if (!this.#borrower || kept.at === this.#borrower.epoch) return;
    this.#unlent.add(id);
    if (this.#unlent.size === 1) this.hooks.lendable();
  }

  /** R1 */
  #give(id: number, kept: Kept<Socket>): void {
    const serving = this.hooks.serving();
    if (!serving || kept.at !== undefined) return;
    const { origin, facts, carried, state, adopted } = kept;
    kept.at = serving.epoch;
    kept.carried = undefined;
    kept.adopted = true;
    const has = kept.lent.includes(serving);
    if (has) kept.lent = kept.lent.filter((edge) => edge !== serving); // What it was lent is its own now.
    if (this.hooks.confirms(serving))
      kept.unconfirmed = { nth: ++this.given, times: (kept.unconfirmed?.times ?? 0) + 1, carried };
    const client: ClientMessage = {
      kind: "client",
      id,
      origin,
      facts,
      carried,
      adopted,
      ...(!carried && state && { state }),
    };
    if (has) serving.tell({ ...client, kept: true });
    else serving.tell(client, kept.socket);
  }
}

const copied = (state: Uint8Array | undefined): Uint8Array | undefined =>
  state && state.length <= STATE_BYTES_MAX ? Uint8Array.from(state) : undefined;
