// backend: one instance of the backend service, as this edge sees it: who is served by it, and what it is still to be told.
//
//   Switchboard --tell--> queue --batch--> out-backend --events call--> the instance
//
//   B1. Events go out in the order in which they were told; the next batch is made only after the last one was settled.
//   B2. Connections that moved away take their untold events along: nobody hears a line after `close moved`.
//   B3. The queue needs no bound of its own: it holds at most the lines that the connections hold, an open and a close each.
//   B4. A backend of which nothing is heard is silent: alive for its socket, and of no use to clients.
//   B5. One that has just come, or come back, has the newest work a little later: nobody who is served is moved to it before.
//   B6. Events of suspects (trial.ts) share no batch with anybody else's: an exception there is theirs.

import type { ClientEvent, CloseReason, EpochMs, Handle } from "../../lib/contracts/index.js";
import type { InstanceId, InstanceState } from "../../lib/wiring/index.js";
import type { Connection, HeldLine } from "./connection.js";

/** Of one `events` call: far below any frame limit, and still thousands of lines. */
export const BATCH_BYTES_MAX = 1_048_576;
const EVENT_BYTES = 64;
/**
 * Of one `events` call, fewer than the contract takes: a backend works a call off in one go, and must be heard in between, or it
 * counts as silent just when it has most to do.
 */
export const BATCH_EVENTS_MAX = 512;
const LIVELY_TICKS = 3;
/** A batch that fails at once, each time, is not sent more often than this. */
const PARDON_MS = 250;
/** B5. Its links to what it lives on are broken for as long as ours to it was: they come back within two seconds. */
const SETTLE_MS = 5_000;

export class Backend {
  readonly connections = new Map<Handle, Connection>();
  readonly groups = new Map<string, Set<Connection>>();
  /** As discovery says; undefined: not listed. */
  listed: InstanceState | undefined;
  /** Its `out` stream reaches us, so its answers will. */
  joined = false;
  /** A call failed in a way that leaves open what it did: left alone until then. Milliseconds on the injected clock. */
  suspectUntilMs = 0;
  #suspectSinceMs = 0;
  #settledAtMs = 0;
  /** It leaves: gets no new lines, keeps its connections until their lines are acknowledged or this moment has come. */
  drainUntilMs: number | undefined;
  /** B4. Until it is heard again. */
  silent = false;
  #quietTicks = 0;
  /** Closed for good, by handle, and not known to have been told: somebody must hear of it. */
  readonly #farewells = new Map<Handle, Connection>();
  #queue: ClientEvent[] = [];
  #inFlight: readonly ClientEvent[] | undefined;
  /** B6. Handles of suspects. */
  readonly #suspects = new Set<Handle>();
  /** Closes of connections that are others' by now, in a batch that failed: each is told once more, alone. */
  readonly #retold = new WeakSet<ClientEvent>();

  constructor(readonly id: InstanceId) {}

  usable(nowMs: number): boolean {
    return this.serves && !this.silent && nowMs >= this.suspectUntilMs;
  }

  suspect(nowMs: number, forMs: number): void {
    this.#suspectSinceMs = nowMs;
    this.suspectUntilMs = nowMs + forMs;
    this.unsettled(nowMs);
  }

  /** B5. It is new here, or something is the matter with it. */
  unsettled(nowMs: number): void {
    this.#settledAtMs = nowMs + SETTLE_MS;
  }

  /** B5. Of use to clients who have something to lose. */
  settled(nowMs: number): boolean {
    return this.usable(nowMs) && nowMs >= this.#settledAtMs;
  }

  /** Suspected of something, and alive for PARDON_MS since: of use where there is nobody better. */
  bearable(nowMs: number): boolean {
    return this.serves && !this.silent && this.lively && nowMs - this.#suspectSinceMs >= PARDON_MS;
  }

  /** It is there, and does not leave. */
  get serves(): boolean {
    return this.listed === "ready" && this.joined && this.drainUntilMs === undefined;
  }

  /** Heard lately: what a probe of each tick needs to come back, and less than any silence. */
  get lively(): boolean {
    return this.#quietTicks <= LIVELY_TICKS;
  }

  /** A sign of life: whatever it says. */
  heard(): void {
    this.silent = false;
    this.#quietTicks = 0;
  }

  /**
   * Ticks since it was last heard; counted here, so that a time in which this very process stood still does not count.
   * To be called at each tick.
   */
  listen(): number {
    return this.#quietTicks++;
  }

  /** True: there is something to send. */
  get pending(): boolean {
    return this.#queue.length > 0 || this.#inFlight !== undefined;
  }

  isInFlight(batch: readonly ClientEvent[]): boolean {
    return batch === this.#inFlight;
  }

  /** Events were sent and nothing is known of them yet. */
  get waiting(): boolean {
    return this.#inFlight !== undefined;
  }

  /** Takes the connection in, with everything a new backend must know of it. */
  adopt(connection: Connection, handle: Handle): void {
    const { facts, state, heard } = connection;
    connection.owner = this;
    connection.handle = handle;
    connection.sent = -1;
    connection.taken = -1;
    this.connections.set(handle, connection);
    if (connection.strikes > 0) this.#suspects.add(handle);
    this.#queue.push({
      kind: "open",
      handle,
      connection: facts.connection as Extract<ClientEvent, { kind: "open" }>["connection"],
      remoteAddress: facts.remoteAddress,
      remotePort: facts.remotePort,
      listener: facts.listener,
      secure: facts.secure,
      ...(facts.since !== undefined && { since: facts.since as EpochMs }),
      ...(state && { state }),
      ...(heard !== undefined && { heard }),
      adopted: connection.adopted,
    });
    for (const line of connection.lines) this.tellLine(connection, line, true);
  }

  /** @param again It was perhaps told to another backend before. */
  tellLine(connection: Connection, { number, bytes }: HeldLine, again = false): void {
    this.#queue.push({ kind: "line", handle: connection.handle, number, bytes, ...(again && { again }) });
  }

  /** The connection is no longer this backend's. Its untold events still go out: the client has gone, its lines count. */
  close(connection: Connection, reason: CloseReason): void {
    this.#forget(connection);
    this.#queue.push({ kind: "close", handle: connection.handle, reason });
    if (reason !== "moved") this.#farewells.set(connection.handle, connection);
  }

  /** The connections that were closed here and must be told to another backend, because nobody knows whether this one heard of it. */
  farewells(): Connection[] {
    const all = [...this.#farewells.values()];
    this.#farewells.clear();
    return all;
  }

  /** Everybody leaves for another backend. B2. Returns them. @param tell False: it is gone, or shall not be spoken to. */
  release(tell: boolean): Connection[] {
    const leaving = [...this.connections.values()];
    if (tell) this.#dropUntold(this.connections);
    else this.#queue = [];
    this.#inFlight = undefined;
    this.#suspects.clear();
    for (const connection of leaving) {
      if (tell) this.close(connection, "moved");
      else this.#forget(connection);
    }
    return leaving;
  }

  /** It failed on this batch, and lives: whoever has an event in it leaves, closed ones too, and nobody else. Returns them. */
  releaseBatch(batch: readonly ClientEvent[]): Connection[] {
    if (batch !== this.#inFlight) return [];
    this.#inFlight = undefined;
    const leaving = new Map<Handle, Connection>();
    const closes: ClientEvent[] = [];
    for (const event of batch) {
      const connection = this.connections.get(event.handle) ?? this.#farewells.get(event.handle);
      if (connection) leaving.set(event.handle, connection);
      else if (event.kind === "close" && !this.#retold.has(event)) closes.push(event);
    }
    this.#dropUntold(leaving);
    for (const [handle, connection] of leaving) {
      this.#suspects.delete(handle);
      if (!this.#farewells.delete(handle)) this.#forget(connection);
      closes.push({ kind: "close", handle, reason: "moved" });
    }
    for (const close of closes) {
      this.#retold.add(close);
      this.#queue.push(close);
    }
    return [...leaving.values()];
  }

  /** Stops telling: lines that were not sent yet stay with their connections. */
  hush(): void {
    this.#dropUntold(this.connections);
  }

  join(connection: Connection, group: string): void {
    if (!connection.groups.includes(group)) connection.groups = [...connection.groups, group];
    const members = this.groups.get(group);
    if (members) members.add(connection);
    else this.groups.set(group, new Set([connection]));
  }

  leave(connection: Connection, group: string): void {
    connection.groups = connection.groups.filter((it) => it !== group);
    const members = this.groups.get(group);
    members?.delete(connection);
    if (members?.size === 0) this.groups.delete(group);
  }

  /** The next events to send, or those of last time when they were refused; undefined when there are none. B1. */
  batch(): readonly ClientEvent[] | undefined {
    if (this.#inFlight || this.#queue.length === 0) return this.#inFlight;
    let count = 0;
    let bytes = 0;
    let company: "all" | "suspects" | "alone" | undefined;
    for (const event of this.#queue) {
      bytes +=
        EVENT_BYTES +
        (event.kind === "line" ? event.bytes.length : event.kind === "open" ? 256 + (event.state?.length ?? 0) : 0);
      if (count === BATCH_EVENTS_MAX || (bytes > BATCH_BYTES_MAX && count > 0)) break;
      const its = this.#companyOf(event);
      if (count > 0 && (its !== company || its === "alone")) break;
      company = its;
      count++;
    }
    this.#inFlight = this.#queue.splice(0, count);
    for (const event of this.#inFlight) {
      const connection = event.kind === "close" ? undefined : this.connections.get(event.handle);
      if (connection) connection.sent = event.kind === "line" ? event.number : 0;
    }
    return this.#inFlight;
  }

  /** The batch was taken. False: it is none of the present ones (everybody left meanwhile). */
  taken(batch: readonly ClientEvent[]): boolean {
    if (batch !== this.#inFlight) return false;
    this.#inFlight = undefined;
    for (const event of batch) {
      const connection = this.connections.get(event.handle) ?? this.#farewells.get(event.handle);
      if (connection) connection.taken = Math.max(connection.taken, event.kind === "line" ? event.number : 0);
      if (event.kind !== "close") continue;
      this.#farewells.delete(event.handle);
      this.#suspects.delete(event.handle);
    }
    return true;
  }

  /** The batch was not taken and is not to be sent again (the backend drains). */
  notTaken(batch: readonly ClientEvent[]): void {
    if (batch === this.#inFlight) this.#inFlight = undefined;
  }

  /** B6 */
  #companyOf(event: ClientEvent): "all" | "suspects" | "alone" {
    if (event.kind === "close" && this.#retold.has(event)) return "alone";
    return this.#suspects.size > 0 && this.#suspects.has(event.handle) ? "suspects" : "all";
  }

  #dropUntold(of: ReadonlyMap<Handle, unknown>): void {
    this.#queue = this.#queue.filter((event) => !of.has(event.handle));
  }

  /** It is above suspicion. */
  trust({ handle }: Connection): void {
    this.#suspects.delete(handle);
  }

  #forget(connection: Connection): void {
    this.connections.delete(connection.handle);
    for (const group of connection.groups) this.leave(connection, group);
    connection.owner = undefined;
  }
}
