// Clients' lines as edges bring them, and everything that a line causes, carried out.
//
//   edge --events--> InLines: open -> restore, load or greet     line -> parse -> receive -> effects
//                             close -> release or forget         effects -> out-lines, out-state, judging.ts
//
//   L1. A line is acknowledged in the same write that carries its answer: other lines at once, a share when it is recorded.
//   L2. While a session is loaded or enlisted, its lines wait behind that, in order.
//   S5. What throws while one connection is served ends there: guard.ts.
//   L3. What is taken and not acknowledged is bounded in bytes: beyond, the edge is told OVERLOADED and keeps its lines.

import {
  type ClientEvent,
  type LineNumber,
  nowMs,
  type OpenEvent,
  type Out,
  sourceOf,
} from "../../lib/contracts/index.js";
import { type PeerId, WiringError } from "../../lib/wiring/index.js";
import { Allowance } from "./allowance.js";
import { newBehaviour } from "./conduct.js";
import { type Connection, Connections, type Crowd, jobsGroup, type WaitingLine } from "./connections.js";
import type { Desk } from "./desk.js";
import { Figures } from "./figures.js";
import { Guard, type Place } from "./guard.js";
import { Judging } from "./judging.js";
import type { OutState } from "./out-state.js";
import { parseLine } from "./protocol/parse.js";
import { receive } from "./receive.js";
import { enlisted, greet, restore, snapshotOf } from "./session.js";
import { type Effect, readTold, type Step, type Told, writeTold } from "./session-state.js";
import { decodeSnapshot, encodeSnapshot, type Snapshot } from "./snapshot.js";
import { Underway } from "./underway.js";

type Effects = readonly Effect[];

export class InLines implements Crowd {
  readonly connections = new Connections();
  readonly #judging: Judging;
  readonly #guard: Guard;
  readonly #underway = new Underway();
  /** Of the call at hand. */
  #lines = 0;

  constructor(private readonly desk: Desk) {
    this.#guard = new Guard({ ...desk, find: ({ edge, handle }) => this.connections.find(edge, handle) });
    this.#judging = new Judging(desk, {
      answer: (connection, answer, line) => this.#perform(connection, answer, line),
      giveUp: (connection, error, line) => this.#giveUp("share", connection, error, line),
    });
  }

  get queueBytes(): number {
    return this.#underway.bytes;
  }

  /** @throws {WiringError} OVERLOADED: none was taken (L3). */
  events(events: readonly ClientEvent[], edge: PeerId): Record<string, never> {
    const { settings, shares, tally } = this.desk;
    if (this.queueBytes > settings.queueBytesMax || shares.waiting > settings.sharesWaitingMax) {
      tally.count("stratum.overloaded");
      throw new WiringError(
        "OVERLOADED",
        `${this.queueBytes} bytes of lines and ${shares.waiting} shares wait already; send again later`,
      );
    }
    for (const event of events) this.guard(event.kind, { edge, handle: event.handle }, () => this.#take(event, edge)); // S5
    if (this.#lines > 0) tally.count("stratum.lines", this.#lines);
    this.#lines = 0;
    return {};
  }

  /** The edge is gone. Its clients may live on at its successor, with what Redis knows of them. */
  edgeGone(edge: PeerId): void {
    this.desk.out.forget(edge);
    for (const connection of this.connections.removeEdge(edge)) {
      this.#dropWaiting(connection);
      this.desk.tally.count("stratum.closed", 1, ["why", "edge"]);
    }
  }

  /** The edge does not take what we say. */
  edgeLost(edge: PeerId): void {
    this.desk.tally.count("stratum.edges_lost");
    this.desk.log.error(
      { edge },
      "an edge takes no answers: its connections are forgotten here, other instances have them",
    );
    this.edgeGone(edge);
  }

  /** Resolves when every line taken so far is acknowledged, or its connection is gone. */
  idle(): Promise<void> {
    return this.#underway.none();
  }

  /** Says something that no line asked for. Never throws. */
  unasked(connection: Connection, step: Step): void {
    this.guard("unasked", connection, () => this.#perform(connection, step, undefined));
  }

  guard(where: string, place: Place, act: () => void): void {
    this.#guard.run(where, place, act);
  }

  /** Renews what shared state knows of all that mine; what it has lost is written again. */
  async touch(memory: Pick<OutState, "touch">): Promise<void> {
    const mining = new Map<string, Connection>();
    for (const connection of this.connections.all())
      if (connection.session.phase === "mining") mining.set(connection.id, connection);
    await memory.touch([...mining.keys()], (id) => {
      const connection = mining.get(id);
      if (!connection?.here) return;
      this.guard("touch", connection, () =>
        this.desk.state.save(connection, encodeSnapshot(snapshotOf(connection.session))),
      );
    });
  }

  #take(event: ClientEvent, edge: PeerId): void {
    if (event.kind === "open") this.#open(event, edge);
    else if (event.kind === "line") this.#line(this.connections.find(edge, event.handle), event);
    else this.#close(event, edge);
  }

  #open(event: OpenEvent, edge: PeerId): void {
    const { tally } = this.desk;
    const rules = this.desk.rulesOf(event.listener);
    const snapshot = event.state && decodeSnapshot(event.state);
    // State of another version says no more than none: shared state is asked, as for an adopted connection.
    const unknown = !snapshot && (event.adopted || event.state !== undefined);
    const connection: Connection = {
      number: 0,
      edge,
      handle: event.handle,
      id: event.connection,
      address: event.remoteAddress,
      source: sourceOf(event.remoteAddress),
      behaviour: newBehaviour(),
      easier: new Allowance(),
      listener: event.listener,
      since: event.since,
      rules,
      figures: new Figures(nowMs(), performance.now()),
      session: greet(event.connection, performance.now()),
      waiting: undefined,
      fragment: event.adopted,
      orphan: unknown,
      joined: false,
      group: undefined,
      closing: false,
      here: true,
      moved: false,
    };
    const before = this.connections.remove(edge, event.handle); // No edge names two so; its lines must not be waited for.
    if (before) this.#dropWaiting(before);
    this.connections.add(connection);
    tally.count("stratum.opened", 1, ["how", snapshot ? "carried" : unknown ? "adopted" : "fresh"]);
    if (snapshot) this.#takeOver(connection, snapshot, event);
    else if (unknown) void this.#load(connection);
  }

  /**
   * From another owner, who handed over what it knew: shared state must know the new one, to tell it from the old.
   *
   * Whether the client has heard what the state says is known unless its edge died with the words.
   */
  #takeOver(connection: Connection, snapshot: Snapshot, { adopted, heard }: OpenEvent): void {
    if (snapshot.mining) this.desk.state.save(connection, encodeSnapshot(snapshot));
    this.#restore(connection, snapshot, heard === undefined ? undefined : readTold(heard));
    if (adopted) this.#carry(connection);
  }

  #restore(connection: Connection, snapshot: Snapshot, heard: Told | undefined): void {
    this.#perform(connection, restore(connection.id, snapshot, this.desk.context(connection), heard), undefined);
  }

  async #load(connection: Connection): Promise<void> {
    connection.waiting = [];
    try {
      const snapshot = await this.desk.state.adopt(connection, () => connection.here);
      if (!connection.here || !snapshot) return;
      this.#restore(connection, snapshot, undefined);
      this.#carry(connection);
    } catch (error) {
      this.#guard.failed("load", connection, error);
    } finally {
      this.#resume(connection);
    }
  }

  /** Its edge is new to it, too: without state from there, the next instance would have to ask Redis. */
  #carry(connection: Connection): void {
    this.unasked(connection, { session: connection.session, effects: [{ kind: "carry" }] });
  }

  #close({ handle, reason }: ClientEvent & { kind: "close" }, edge: PeerId): void {
    const connection = this.connections.remove(edge, handle);
    if (!connection) return;
    connection.moved = reason === "moved";
    this.#dropWaiting(connection);
    this.desk.tally.count("stratum.closed", 1, ["why", reason]);
    if (reason === "limit") this.desk.conduct.garbledLine(connection.source); // A line without end, or a reader that does not read.
    if (connection.moved) this.desk.state.forget(connection);
    else if (connection.session.phase === "mining") void this.desk.state.release(connection);
  }

  #line(connection: Connection | undefined, line: WaitingLine): void {
    if (!connection) return; // It was closed meanwhile: nobody waits for an answer.
    this.#lines++;
    this.#underway.add(line);
    if (connection.waiting) connection.waiting.push(line);
    else this.#work(connection, line);
  }

  /** Never throws. */
  #work(connection: Connection, line: WaitingLine): void {
    try {
      this.#read(connection, line);
    } catch (error) {
      this.#giveUp("line", connection, error, line);
    }
  }

  #read(connection: Connection, line: WaitingLine): void {
    const parsed = parseLine(line.bytes);
    const fragment = connection.fragment && parsed.kind === "garbled";
    connection.fragment = false;
    const unread = fragment || connection.closing;
    const { session } = connection;
    if (!unread && session.phase === "mining" && parsed.kind === "request" && parsed.request.method === "submit") {
      this.#judging.start(connection, parsed.id, parsed.request, line); // As receive() would say, for nearly every line there is.
      return;
    }
    const step = unread
      ? { session: connection.session, effects: [] }
      : receive(connection.session, parsed, this.desk.context(connection));
    this.#perform(connection, orphaned(connection, step), line);
  }

  #perform(connection: Connection, step: Step, line: WaitingLine | undefined): void {
    connection.session = step.session;
    if (connection.here) this.connections.restless.look(connection);
    const slow = step.effects.find((effect) => effect.kind === "enlist" || effect.kind === "judge");
    this.#count(connection, step.effects);
    if (slow && line) {
      this.#start(connection, slow, line);
      return;
    }
    if (connection.here) this.#write(connection, step.effects, line?.number);
    if (line) this.#underway.done(line);
  }

  /** What answers later. */
  #start(connection: Connection, effect: Effect, line: WaitingLine): void {
    if (effect.kind === "judge") this.#judging.start(connection, effect.id, effect.submit, line);
    else if (effect.kind === "enlist") void this.#enlist(connection, effect.resume, line);
  }

  async #enlist(connection: Connection, resume: string | undefined, line: WaitingLine): Promise<void> {
    connection.waiting = [];
    try {
      const grant = await this.desk.state.enlist(connection, resume, () => connection.here);
      const { session } = connection;
      if (grant && connection.here && session.phase === "enlisting")
        this.#perform(connection, enlisted(session, grant, this.desk.context(connection)), line);
      else this.#underway.done(line);
    } catch (error) {
      this.#giveUp("enlist", connection, error, line);
    } finally {
      this.#resume(connection);
    }
  }

  /** L2: the lines that waited, until one of them makes the rest wait again. */
  #resume(connection: Connection): void {
    const lines = connection.waiting ?? [];
    connection.waiting = undefined;
    for (let line = lines.shift(); line; line = lines.shift()) {
      this.#work(connection, line);
      if (connection.waiting) {
        connection.waiting = lines;
        return;
      }
    }
  }

  /** L1: text, state and acknowledgement in one message. */
  #write(connection: Connection, effects: Effects, acknowledges: LineNumber | undefined): void {
    const { edge, handle } = connection;
    const write: Out & { kind: "write" } = { kind: "write", handle };
    let text = "";
    for (const effect of effects) {
      if (effect.kind === "say") text += effect.text;
      else if (effect.kind === "save" || effect.kind === "carry")
        write.state ??= encodeSnapshot(snapshotOf(connection.session));
      else if (effect.kind === "join") connection.joined = true;
      else if (effect.kind === "told" && connection.session.phase === "mining" && connection.session.told)
        write.heard = writeTold(connection.session.told);
      else if (effect.kind === "close") write.close = effect.text;
    }
    if (text !== "") write.bytes = Buffer.from(text);
    if (acknowledges !== undefined) write.acknowledges = [acknowledges];
    this.#regroup(connection, write);
    if (write.close) connection.closing = true;
    const changed = effects.some(({ kind }) => kind === "save") && connection.session.phase === "mining";
    if (write.state && changed) this.desk.state.save(connection, write.state);
    if (write.bytes || write.state || write.join || write.leave || write.close || write.acknowledges)
      this.desk.out.say(edge, write);
  }

  /** Broadcasts are of one difficulty each: it hears those of the one that it was told last. */
  #regroup(connection: Connection, write: Out & { kind: "write" }): void {
    const { session, group, joined } = connection;
    const next = joined && session.phase === "mining" ? session.announced : undefined;
    if (next === group) return;
    if (group !== undefined) write.leave = jobsGroup(group);
    if (next !== undefined) write.join = jobsGroup(next);
    this.connections.enter(connection, next);
  }

  #count({ source, figures }: Connection, effects: Effects): void {
    for (const effect of effects) {
      if (effect.kind === "garbled") {
        this.desk.tally.count("stratum.garbled");
        this.desk.conduct.garbledLine(source);
      } else if (effect.kind === "turned-away") {
        this.desk.tally.count("stratum.let_go");
      } else if (effect.kind === "reject") {
        figures.refuse(effect.reason);
        this.desk.rejected(effect.worker, effect.reason);
      }
    }
  }

  /** S5 */
  #giveUp(where: string, connection: Connection, error: unknown, line: WaitingLine): void {
    this.#guard.failed(where, connection, error, connection.here ? line.number : undefined);
    this.#underway.done(line);
  }

  #dropWaiting(connection: Connection): void {
    for (const line of connection.waiting?.splice(0) ?? []) this.#underway.done(line);
  }
}

/**
 * A share from a connection that nobody knows any more: it was subscribed once and cannot find out that it is not. Closing lets it
 * come back with its session id.
 */
function orphaned(connection: Connection, step: Step): Step {
  const lost = step.effects.some((effect) => effect.kind === "reject" && effect.reason === "not-subscribed");
  if (!connection.orphan || !lost) return step;
  return {
    ...step,
    effects: [...step.effects, { kind: "close", text: "its session is unknown here: subscribe again" }],
  };
}
