// The connections that edges gave to this instance, by edge and by the edge's own name for each.

import type { ConnectionId, Difficulty, EpochMs, Handle, LineNumber } from "../../lib/contracts/index.js";
import type { PeerId } from "../../lib/wiring/index.js";
import type { Allowance } from "./allowance.js";
import type { Behaviour } from "./conduct.js";
import type { Figures } from "./figures.js";
import { Restless } from "./restless.js";
import type { Session, Step } from "./session-state.js";
import type { ListenerRules } from "./settings.js";

/** What connections that mine are members of: they hear every job, as work of their difficulty. */
export const jobsGroup = (difficulty: Difficulty): string => `jobs:${difficulty}`;

export interface WaitingLine {
  readonly number: LineNumber;
  readonly bytes: Uint8Array;
  /** Another instance may have had it before. */
  readonly again?: boolean | undefined;
}

export interface Connection {
  /** Grows by one with each that comes to this instance; given by Connections.add, 0 before. */
  number: number;
  readonly edge: PeerId;
  readonly handle: Handle;
  readonly id: ConnectionId;
  /** The client's, without its port. */
  readonly address: string;
  /** Who is held to account for it: the address, or its /64 (lib/contracts/addresses.ts). */
  readonly source: string;
  readonly behaviour: Behaviour;
  /** Shares easier than what it was told last. */
  readonly easier: Allowance;
  /** Name of the one that took it. */
  readonly listener: string;
  /** When the client came, as far as its edge knows. */
  readonly since: EpochMs | undefined;
  readonly rules: ListenerRules;
  readonly figures: Figures;
  session: Session;
  /** Lines that came while the session was being loaded or enlisted; undefined: lines are worked on at once. */
  waiting: WaitingLine[] | undefined;
  /** It was somebody else's and came without state: its next line may lack its beginning. */
  fragment: boolean;
  /** The same, for good: nobody may know that it was subscribed. */
  readonly orphan: boolean;
  /** It hears broadcasts, from the moment on at which a difficulty was announced to it. */
  joined: boolean;
  /** The difficulty of the broadcasts that it hears. */
  group: Difficulty | undefined;
  /** We asked the edge to close it: its lines are acknowledged and not read. */
  closing: boolean;
  /** False once it left: late answers go nowhere. */
  here: boolean;
  /** Another instance has its lines. */
  moved: boolean;
}

export class Connections {
  readonly restless = new Restless<Connection>();
  readonly #byEdge = new Map<PeerId, Map<Handle, Connection>>();
  /** By number, so in order. */
  readonly #byNumber = new Map<number, Connection>();
  readonly #bySource = new Map<string, Set<Connection>>();
  /** How many connections of an edge hear broadcasts, by their difficulty. */
  readonly #groups = new Map<PeerId, Map<Difficulty, number>>();
  #lastNumber = 0;

  get size(): number {
    return this.#byNumber.size;
  }

  get edges(): Iterable<PeerId> {
    return this.#byEdge.keys();
  }

  /** The groups that have members, edge by edge. */
  get groups(): ReadonlyMap<PeerId, ReadonlyMap<Difficulty, number>> {
    return this.#groups;
  }

  /** From now on it hears the broadcasts of this difficulty; undefined: none. */
  enter(connection: Connection, difficulty: Difficulty | undefined): void {
    const { edge, group } = connection;
    if (group === difficulty) return;
    const ofEdge = this.#groups.get(edge) ?? new Map<Difficulty, number>();
    if (group !== undefined) {
      const left = (ofEdge.get(group) ?? 1) - 1;
      if (left > 0) ofEdge.set(group, left);
      else ofEdge.delete(group);
    }
    if (difficulty !== undefined) ofEdge.set(difficulty, (ofEdge.get(difficulty) ?? 0) + 1);
    if (ofEdge.size > 0) this.#groups.set(edge, ofEdge);
    else this.#groups.delete(edge);
    connection.group = difficulty;
  }

  find(edge: PeerId, handle: Handle): Connection | undefined {
    return this.#byEdge.get(edge)?.get(handle);
  }

  /** Under a handle that is free. */
  add(connection: Connection): void {
    const { edge, handle } = connection;
    let ofEdge = this.#byEdge.get(edge);
    if (!ofEdge) {
      ofEdge = new Map();
      this.#byEdge.set(edge, ofEdge);
    }
    ofEdge.set(handle, connection);
    connection.number = ++this.#lastNumber;
    this.#byNumber.set(connection.number, connection);
    const ofSource = this.#bySource.get(connection.source);
    if (ofSource) ofSource.add(connection);
    else this.#bySource.set(connection.source, new Set([connection]));
  }

  /** Those of an address or of a /64, whatever else there is. Tolerates removal of what it yields. */
  *from(source: string): Generator<Connection> {
    yield* this.#bySource.get(source) ?? [];
  }

  remove(edge: PeerId, handle: Handle): Connection | undefined {
    const connection = this.find(edge, handle);
    if (!connection) return undefined;
    connection.here = false;
    this.enter(connection, undefined);
    this.#byEdge.get(edge)?.delete(handle);
    this.#byNumber.delete(connection.number);
    const ofSource = this.#bySource.get(connection.source);
    ofSource?.delete(connection);
    if (ofSource?.size === 0) this.#bySource.delete(connection.source);
    this.restless.forget(connection);
    return connection;
  }

  /** The edge is gone. Returns what it had. */
  removeEdge(edge: PeerId): Connection[] {
    const all = [...(this.#byEdge.get(edge)?.values() ?? [])];
    for (const { handle } of all) this.remove(edge, handle);
    this.#byEdge.delete(edge);
    return all;
  }

  /** Tolerates removal of what it yields. */
  *all(): Generator<Connection> {
    yield* this.#byNumber.values();
  }

  /** Those with a greater number, in order. */
  *after(number: number): Generator<Connection> {
    for (const connection of this.#byNumber.values()) if (connection.number > number) yield connection;
  }
}

/** All connections, and the way to say something that no line asked for (in-lines.ts). */
export interface Crowd {
  readonly connections: Connections;
  readonly queueBytes: number;
  unasked(connection: Connection, step: Step): void;
  /** Does something for one connection; an exception ends there (guard.ts). Never throws. */
  guard(where: string, connection: Connection, act: () => void): void;
}
