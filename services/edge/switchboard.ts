// switchboard: which backend serves which client, and what happens when that changes. Pure: sockets and calls are others'.
//
//   in-clients --open, line, close--> Switchboard --batch--> out-backend (events)
//   in-clients <--write, end--------- Switchboard <--apply-- out-backend (out)
//
//   S1. A line is kept until the connection's present owner acknowledged it; whoever serves the connection next gets the newest
//       state and all unacknowledged lines, in order, before any newer one.
//   S2. Only the present owner's writes count: a handle belongs to one ownership, and dies with it.
//   S3. A backend that drains keeps its connections until their lines are acknowledged (at most drainMs), one that is lost
//       loses them at once, and one that failed in between (a time-out, a gap, silence) is told `close moved` for all it had.
//   S4. No backend: clients and their lines wait, within the bounds of S5.
//   S5. A client with linesMax unacknowledged lines, or bytesMax of them, has no room; all together hold at most heldBytesMax
//       (one line each above it).
//   S6. A line that every backend dies of, or throws on, ends its own connection, and no other (trial.ts). An exception moves those whose
//       events were in that batch; all others stay where they are.
//   S7. That a client has left is told to a backend, with its last lines, even if its own one dies of something else just then: else
//       its session would count as live for a long time.
//   S8. When all leave at once, those whose lines wait come first: a backend takes hundreds of milliseconds to take in a thousand.

import type { ClientEvent, ClientFacts, CloseReason, Handle, Out } from "../../lib/contracts/index.js";
import type { Instance, InstanceId } from "../../lib/wiring/index.js";
import { Backend } from "./backend.js";
import { leastLoaded, surplus } from "./balance.js";
import { type Before, type ClientPort, Connection, costOf, NUMBERS_PER_EPOCH } from "./connection.js";
import type { SwitchboardHooks, SwitchboardLimits } from "./ports.js";
import { Room } from "./room.js";
import { Trials } from "./trial.js";
import { Writes } from "./writes.js";

/** Clients that left while there was no backend, and those that wait for one, are kept in mind up to this number together. */
const FAREWELLS_MAX = 100_000;
/** So often it is told that one client has left: each backend that was told may have died of something else. */
const FAREWELLS_EACH_MAX = 8;

export class Switchboard {
  readonly #connections = new Set<Connection>();
  readonly #homeless = new Set<Connection>();
  readonly #backends = new Map<InstanceId, Backend>();
  readonly #trials = new Trials();
  /** Only grows, over the restarts of the edge too: of two ownerships of one connection the later one has the greater handle. */
  #nextHandle: number;
  readonly #room: Room;
  readonly #writes: Writes;

  constructor(
    readonly epoch: number,
    readonly limits: SwitchboardLimits,
    readonly hooks: SwitchboardHooks,
  ) {
    this.#nextHandle = epoch * NUMBERS_PER_EPOCH + 1;
    this.#room = new Room(limits);
    this.#writes = new Writes(this.#room, hooks, (connection) => this.#settled(connection));
  }

  open(facts: ClientFacts, port: ClientPort, before: Before): Connection {
    const connection = new Connection(facts, port, before.adopted, this.epoch);
    connection.state = before.state;
    connection.heard = before.heard;
    for (const line of before.lines ?? []) connection.keep(line);
    this.#room.take(connection.heldBytes);
    this.#connections.add(connection);
    if (!facts.local || connection.lines.length > 0) this.#assign(connection);
    return connection;
  }

  /** S5. False: take no line of it now; its port hears `relieved`. */
  hasRoom(connection: Connection): boolean {
    return this.#room.isThere(connection);
  }

  line(connection: Connection, bytes: Uint8Array): void {
    if (connection.closed) return;
    const line = connection.hold(bytes);
    this.hooks.numbered?.(connection, line);
    this.#room.take(costOf(line));
    const { owner } = connection;
    if (!owner) this.#assign(connection);
    else if (owner.drainUntilMs === undefined) {
      owner.tellLine(connection, line);
      this.hooks.wake(owner.id);
    } // Else it goes to the next one (S3).
  }

  /** The client is gone, or leaves this edge (`moved`). Safe twice. */
  close(connection: Connection, reason: CloseReason): void {
    if (connection.closed) return;
    connection.closed = true;
    connection.reason = reason;
    const { owner } = connection;
    this.#connections.delete(connection);
    this.#homeless.delete(connection);
    this.#room.leave(connection);
    this.#settled(connection);
    if (owner) {
      owner.close(connection, reason);
      this.hooks.wake(owner.id);
    } else if (reason !== "moved" && (connection.state || connection.adopted)) this.#farewell(connection);
  }

  /** Discovery's present list. */
  listed(instances: readonly Instance[]): void {
    const states = new Map(instances.map((instance) => [instance.id, instance.state]));
    for (const id of states.keys()) this.#backend(id);
    for (const backend of [...this.#backends.values()]) {
      const listed = states.get(backend.id);
      if (listed === "ready" && backend.listed === undefined) backend.drainUntilMs = undefined; // Back after all.
      backend.listed = listed;
      if (backend.listed === undefined && !backend.joined) this.#remove(backend);
      else if (backend.listed === undefined || backend.listed === "draining") this.draining(backend.id);
    }
    this.#housePeople();
  }

  /** Its `out` stream has begun. */
  joined(id: InstanceId): void {
    const backend = this.#backend(id);
    if (backend.connections.size > 0) this.#scatter(backend, true); // A second beginning: something was lost before it.
    backend.joined = true;
    backend.unsettled(this.hooks.nowMs());
    backend.heard();
    this.#housePeople();
  }

  /** Its `out` stream has ended: nothing it was given will be answered. @param died Without a goodbye. */
  left(id: InstanceId, died: boolean): void {
    const backend = this.#backend(id);
    backend.joined = false;
    if (backend.listed === undefined) this.#backends.delete(backend.id);
    this.#scatter(backend, false, died);
  }

  /** It has answered something, whatever. */
  heard(id: InstanceId): void {
    this.#backends.get(id)?.heard();
  }

  /** Some of its `out` messages were lost: everything it has is asked again, there or elsewhere. S3 */
  gap(id: InstanceId): void {
    this.hooks.count("edge.gaps");
    this.#scatter(this.#backend(id), true);
  }

  /** It leaves, or said that it takes nothing new. S3 */
  draining(id: InstanceId): void {
    const backend = this.#backend(id);
    if (backend.drainUntilMs !== undefined) return;
    backend.drainUntilMs = this.hooks.nowMs() + this.limits.drainMs;
    backend.hush();
    this.#settle(backend);
  }

  /** What it said, in order. */
  apply(id: InstanceId, outs: readonly Out[]): void {
    const backend = this.#backends.get(id);
    if (!backend) return;
    backend.heard();
    for (const out of outs) {
      if (out.kind === "write") {
        const connection = this.#writes.carryOut(backend, out);
        if (connection && backend.drainUntilMs !== undefined) this.#settleOne(backend, connection);
        continue;
      }
      for (const connection of backend.groups.get(out.group) ?? []) {
        connection.port.write(out.bytes, true);
        connection.heard = out.heard;
      }
    }
  }

  /** The next events for it, or the last ones again when they were neither taken nor given up. */
  batch(id: InstanceId): readonly ClientEvent[] | undefined {
    const backend = this.#backends.get(id);
    return backend && this.hooks.nowMs() >= backend.suspectUntilMs ? backend.batch() : undefined;
  }

  taken(id: InstanceId, batch: readonly ClientEvent[]): void {
    const backend = this.#backends.get(id);
    if (!backend?.taken(batch)) return;
    this.#trials.took(batch.filter(({ kind }) => kind === "line").length);
    this.#tryNext();
    if (backend.drainUntilMs !== undefined) this.#settle(backend);
  }

  /** It takes nothing any more. */
  refused(id: InstanceId, batch: readonly ClientEvent[]): void {
    const backend = this.#backends.get(id);
    backend?.notTaken(batch);
    this.draining(id);
    if (backend) this.#settle(backend);
  }

  /** Nobody knows what became of the batch. S3 */
  failed(id: InstanceId, batch: readonly ClientEvent[]): void {
    const backend = this.#backends.get(id);
    if (!backend?.isInFlight(batch)) return; // Everybody has left it since.
    this.hooks.count("edge.backendFailures");
    backend.suspect(this.hooks.nowMs(), this.limits.suspectMs);
    this.#scatter(backend, true);
  }

  /** Its handler threw, or hangs while others are answered: something in the batch is the cause. S6 */
  threw(id: InstanceId, batch: readonly ClientEvent[]): void {
    const backend = this.#backends.get(id);
    if (!backend?.isInFlight(batch)) return;
    this.hooks.count("edge.backendExceptions");
    const leaving = backend.releaseBatch(batch);
    const guilty = this.#trials.threw(leaving, this.hooks.nowMs());
    for (const connection of leaving) {
      if (connection === guilty) continue;
      if (connection.closed) this.#farewell(connection);
      else this.#assign(connection);
    }
    if (guilty) this.#expel(guilty, "threw");
    if (backend.pending) this.hooks.wake(backend.id);
  }

  /** Whether a backend is there that takes lines, be it under suspicion or not. */
  get reaches(): boolean {
    return [...this.#backends.values()].some(({ serves }) => serves);
  }

  /** Whether it has answered anything lately. */
  isLively(id: InstanceId): boolean {
    return this.#backends.get(id)?.lively ?? false;
  }

  /** To be called a few times a second. */
  tick(): void {
    const nowMs = this.hooks.nowMs();
    for (const backend of this.#backends.values()) {
      if (backend.joined && this.#connections.size > 0) this.#listen(backend, nowMs);
      if (backend.drainUntilMs !== undefined && backend.connections.size > 0) this.#settle(backend);
      if (backend.pending && nowMs >= backend.suspectUntilMs) this.hooks.wake(backend.id);
    }
    this.#tryNext();
    this.#housePeople();
    for (const connection of surplus(this.#backends.values(), nowMs, this.limits.rebalancePerTick))
      this.#move(connection);
  }

  status() {
    let unacknowledgedLines = 0;
    for (const connection of this.#connections) unacknowledgedLines += connection.lines.length;
    return {
      connections: this.#connections.size,
      epoch: this.epoch,
      unacknowledgedLines,
      heldBytes: this.#room.heldBytes,
      backends: [...this.#backends.values()].map(({ id, connections }) => ({ id, connections: connections.size })),
    };
  }

  #backend(id: InstanceId): Backend {
    const known = this.#backends.get(id);
    if (known) return known;
    const backend = new Backend(id);
    this.#backends.set(id, backend);
    return backend;
  }

  #remove(backend: Backend): void {
    this.#backends.delete(backend.id);
    this.#scatter(backend, false);
  }

  /** A draining backend's connections that are ready to go, go. */
  #settle(backend: Backend): void {
    for (const connection of [...backend.connections.values()]) this.#settleOne(backend, connection);
  }

  #settleOne(backend: Backend, connection: Connection): void {
    const late = this.hooks.nowMs() >= (backend.drainUntilMs ?? 0);
    if (connection.owner !== backend || (!late && (connection.busy || backend.waiting))) return;
    this.#move(connection);
  }

  #move(connection: Connection): void {
    const { owner } = connection;
    owner?.close(connection, "moved");
    if (owner) this.hooks.wake(owner.id);
    this.hooks.count("edge.moves");
    this.#assign(connection);
  }

  /** Everybody leaves at once. @param died What they waited for may have been its end (S6). */
  #scatter(backend: Backend, tell: boolean, died = false): void {
    const leaving = backend.release(tell);
    this.hooks.count("edge.moves", leaving.length);
    const guilty = died ? this.#trials.died(leaving) : undefined;
    for (const waits of [true, false]) {
      for (const connection of leaving)
        if (connection !== guilty && connection.lines.length > 0 === waits) this.#assign(connection); // S8
    }
    if (guilty) this.#expel(guilty, "died");
    for (const gone of backend.farewells()) this.#farewell(gone);
    this.#tryNext();
    if (backend.pending) this.hooks.wake(backend.id);
  }

  /** S6 */
  #expel(connection: Connection, why: "died" | "threw"): void {
    this.hooks.expelled(connection, why);
    if (connection.closed) return; // It has left since; nobody is told.
    this.hooks.count("edge.closedPoison");
    connection.port.end("limit", "every backend fails on its line");
  }

  /** S7. Its last lines go along once, and only where there is somebody to take them: nobody counts their bytes any more. */
  #farewell(connection: Connection): void {
    if (++connection.farewells > FAREWELLS_EACH_MAX) return;
    const alone = !leastLoaded(this.#backends.values(), this.hooks.nowMs());
    if (alone || connection.strikes > 0 || connection.farewells > 1) connection.lines.length = 0;
    if (!alone || this.#homeless.size < FAREWELLS_MAX) this.#assign(connection);
  }

  #settled(connection: Connection): void {
    if (connection.strikes === 0) connection.owner?.trust(connection);
    this.#trials.settled(connection);
    this.#tryNext();
  }

  #tryNext(): void {
    for (const connection of this.#trials.next(this.hooks.nowMs())) this.#assign(connection);
  }

  /** Silence, seen and acted upon: its process stands still, and its socket lives. */
  #listen(backend: Backend, nowMs: number): void {
    const quietTicks = backend.listen();
    if (quietTicks > 0) this.hooks.probe(backend.id); // Beside a call that is under way, too: its handler may hang, and it lives.
    if (!backend.lively) backend.unsettled(nowMs);
    if (backend.silent || quietTicks < this.limits.silenceTicks || backend.connections.size === 0) return;
    if (![...this.#backends.values()].some((other) => other !== backend && other.lively && other.usable(nowMs))) return;
    backend.silent = true;
    backend.suspect(nowMs, this.limits.suspectMs);
    this.hooks.count("edge.backendSilences");
    this.#scatter(backend, true);
  }

  #assign(connection: Connection): void {
    if (!this.#trials.admits(connection)) return;
    const backend = leastLoaded(this.#backends.values(), this.hooks.nowMs());
    if (!backend) {
      this.#homeless.add(connection); // S4
      return;
    }
    this.#homeless.delete(connection);
    backend.suspectUntilMs = 0; // Chosen, so it is trusted again, or there is nobody else.
    backend.adopt(connection, this.#nextHandle++ as Handle);
    if (connection.closed) backend.close(connection, connection.reason);
    this.hooks.wake(backend.id);
  }

  #housePeople(): void {
    if (this.#homeless.size === 0 || !leastLoaded(this.#backends.values(), this.hooks.nowMs())) return;
    for (const connection of [...this.#homeless]) this.#assign(connection);
  }
}
