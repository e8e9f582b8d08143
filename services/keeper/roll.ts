// The roll: every client that the keeper holds, which edge has each, and what is known of it.
//
//   accept, adopt --> Roll --give--> the serving edge          released, lost --> to be given again
//
//   R1. A client that no edge has is given to the serving one, with all that earlier edges told of it.
//   R2. At most `max` clients are kept: the next one is closed at once and counted.

import type { Carried, ClientFacts, KeeperSays, Origin } from "../../lib/contracts/index.js";
import type { EdgePort, KeptSocket } from "./keeper.js";

export type ClientMessage = Extract<KeeperSays, { kind: "client" }>;

interface Kept<Socket> {
  readonly socket: Socket;
  readonly origin: Origin;
  /** Epoch of the edge that has it; undefined: none. */
  at: number | undefined;
  adopted: boolean;
  facts?: ClientFacts | undefined;
  carried?: Carried | undefined;
}

export interface RollHooks<Socket> {
  serving(): EdgePort<Socket> | undefined;
  /** A client is gone. */
  dropped(id: number): void;
}

export class Roll<Socket extends KeptSocket> {
  readonly #clients = new Map<number, Kept<Socket>>();
  /** Clients closed because of R2. */
  refused = 0;

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
      this.#keep(this.nextId++, { socket, origin, at: undefined, adopted: false });
      return;
    }
    this.refused++; // R2
    socket.destroy();
  }

  /** A client that a predecessor gives us, under its number. */
  adopt(socket: Socket, { id, origin, facts, carried, adopted }: ClientMessage): void {
    this.#keep(id, { socket, origin, at: undefined, adopted, facts, carried });
  }

  learn(id: number, facts: ClientFacts): void {
    const kept = this.#clients.get(id);
    if (kept) kept.facts = facts;
  }

  /** An edge gives a client back. */
  released(edge: EdgePort<Socket>, id: number, carried: Carried): void {
    const kept = this.#clients.get(id);
    if (kept?.at !== edge.epoch) return;
    kept.carried = carried;
    kept.at = undefined;
    this.#give(id, kept);
  }

  /** An edge has ended: nobody has its clients. */
  lost(epoch: number): void {
    for (const kept of this.#clients.values()) if (kept.at === epoch) kept.at = undefined;
  }

  giveAll(): void {
    for (const [id, kept] of this.#clients) this.#give(id, kept);
  }

  drop(id: number): void {
    this.#clients.get(id)?.socket.destroy();
    if (this.#clients.delete(id)) this.hooks.dropped(id);
  }

  dropAll(): void {
    for (const id of [...this.#clients.keys()]) this.drop(id);
  }

  #keep(id: number, kept: Kept<Socket>): void {
    this.#clients.set(id, kept);
    kept.socket.on("error", () => this.drop(id)); // Nothing is read or written here, so this is rare; the fd is useless then.
    this.#give(id, kept);
  }

  /** R1 */
  #give(id: number, kept: Kept<Socket>): void {
    const serving = this.hooks.serving();
    if (!serving || kept.at !== undefined) return;
    const { origin, facts, carried, adopted } = kept;
    kept.at = serving.epoch;
    kept.carried = undefined;
    kept.adopted = true;
    serving.tell({ kind: "client", id, origin, facts, carried, adopted }, kept.socket);
  }
}
