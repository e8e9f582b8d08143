// in-client: one client's socket, from its first byte to its last.
//
//   socket --PROXY header--> facts --lines--> Switchboard
//   socket <--corked per tick-- write, end <-- Switchboard
//
//   C1. Bytes are read only as fast as lines find room: without room the socket is paused, and the kernel makes the client wait.
//   C2. A client that does not read is closed when unsentBytesMax wait for it, at once and without harm to others; or earlier, when all
//       clients together owe too much (debts.ts).
//   C3. A polite end: what was written is flushed, a FIN follows, and what still comes in is thrown away for lingerMs (closing with
//       unread input would reset the connection and destroy the last answer on its way).
//   C4. A client that half-closes still gets the answers to its lines, for lingerMs.
//   C5. `release` gives back everything that was read and not finished: the next edge goes on at the very byte.

import type { Socket } from "node:net";
import type { Carried, ClientFacts, CloseReason, Origin } from "../../lib/contracts/index.js";
import type { ClientPort, Connection, HeldLine } from "./connection.js";
import type { Debtor, Debts } from "./debts.js";
import { LineFramer } from "./frame/line.js";
import type { MetricName } from "./metrics.js";
import { decodeProxy, type ProxyFacts } from "./proxy.js";
import type { Switchboard } from "./switchboard.js";

/** What a client needs of its surroundings. */
export interface ClientHouse {
  readonly switchboard: Switchboard;
  readonly settings: { readonly unsentBytesMax: number; readonly lingerMs: number; readonly proxyHeaderMs: number };
  readonly debts: Debts;
  count(name: MetricName, by?: number): void;
  /** Uncork this client at the end of the tick. */
  corked(client: Client): void;
  /** A backend said what the next one must know of it. */
  stated(client: Client, state: Uint8Array): void;
  facts(header: ProxyFacts | undefined, origin: Origin): ClientFacts;
  /** The facts are known, first hand. */
  met(arrival: Arrival, facts: ClientFacts): void;
  gone(client: Client): void;
}

export interface Arrival {
  /** The keeper's number of the client. */
  readonly id: number;
  readonly origin: Origin;
  /** The PROXY header must come first. Ignored when the facts are known. */
  readonly proxied: boolean;
  readonly facts?: ClientFacts | undefined;
  readonly carried?: Carried | undefined;
  /** The newest state that an edge told which is dead. */
  readonly state?: Uint8Array | undefined;
  readonly adopted: boolean;
}

/** header: the PROXY header has not come. open: lines flow. ended: the client half-closed. closing: see C3. closed: nothing left. */
type Phase = "header" | "open" | "ended" | "closing" | "closed";

/** Shared: there are many clients, and an empty buffer or a timer of its own costs each of them some hundred bytes. */
const NOTHING: Buffer = Buffer.alloc(0);
const ignore = (): void => {};

export class Client implements ClientPort, Debtor {
  owed = 0;
  #phase: Phase = "header";
  #connection: Connection | undefined;
  #framer = new LineFramer();
  #header = NOTHING;
  #timer: NodeJS.Timeout | undefined;
  #corked = false;
  #holding: (() => void) | undefined;
  #flushing = false;
  #released = false;
  /** A proxy's health check, which connects and leaves, is no client. */
  #isCheck = false;

  constructor(
    readonly house: ClientHouse,
    readonly socket: Socket,
    readonly arrival: Arrival,
  ) {
    socket.allowHalfOpen = true; // C4
    socket.on("data", (chunk: Buffer) => this.#read(chunk));
    socket.on("end", () => this.#halfClosed());
    socket.on("error", ignore); // `close` follows.
    socket.on("close", () => this.#gone());
    if (arrival.facts) this.#open(arrival.facts);
    else if (!arrival.proxied) this.#meet(undefined);
    else this.#timer = setTimeout(() => this.#badHeader(), house.settings.proxyHeaderMs);
    if (arrival.carried) this.#read(Buffer.from(arrival.carried.rest));
  }

  write(bytes: Uint8Array, alone = false): void {
    if (this.#phase === "closing" || this.#phase === "closed") return;
    if (alone && !this.#corked) {
      this.socket.write(bytes); // Of ten thousand clients the first would otherwise wait until the last one is corked.
      this.#written();
      return;
    }
    if (!this.#corked) {
      this.#corked = true;
      this.socket.cork();
      this.house.corked(this);
    }
    this.socket.write(bytes);
  }

  stated(state: Uint8Array): void {
    this.house.stated(this, state);
  }

  /** At the end of the tick. */
  uncork(): void {
    if (!this.#corked) return;
    this.#corked = false;
    this.socket.uncork();
    this.#written();
  }

  #written(): void {
    this.house.debts.wrote(this);
    if (this.socket.writableLength > this.house.settings.unsentBytesMax) this.giveUp(); // C2
    this.#letGo();
  }

  end(reason: CloseReason): void {
    if (this.#phase === "closing" || this.#phase === "closed") return;
    if (reason === "asked") this.house.count("edge.closedAsked");
    if (reason === "client" && !this.#isCheck) this.house.count("edge.closed");
    this.#phase = "closing"; // C3
    this.#forget(reason);
    this.socket.end();
    this.socket.resume();
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.socket.destroy(), this.house.settings.lingerMs);
  }

  relieved(): void {
    this.#pump();
    this.#letGo();
  }

  /** Reads nothing more; resolves when all its lines are acknowledged and all it was sent is flushed, or after waitMs. */
  hold(waitMs: number): Promise<void> {
    return new Promise((resolve) => {
      const settle = () => {
        clearTimeout(timer);
        resolve();
      };
      const timer = setTimeout(settle, waitMs);
      this.#holding = settle;
      this.socket.pause();
      if (this.#connection) this.#connection.waiting = true;
      this.#letGo();
    });
  }

  get unsentBytes(): number {
    return this.socket.writableLength;
  }

  /** What it was sent and has not taken from us: no other edge could go on with it. */
  get unsent(): boolean {
    return this.#corked || this.socket.writableLength > 0;
  }

  /** C2. It does not read, and we must go. */
  giveUp(): void {
    if (this.#phase === "closed") return;
    this.house.count("edge.closedTooSlow");
    this.#forget("limit");
    this.socket.destroy();
  }

  /** C5. The connection is closed here as `moved` (nothing of that reaches the client). Undefined: it has gone meanwhile. */
  release(): Carried | undefined {
    if (this.#phase === "closed" || this.#phase === "closing") return undefined;
    this.#corked = false;
    this.socket.uncork();
    const rest = [this.#phase === "header" ? this.#header : this.#framer.rest()];
    const lines: HeldLine[] = [...(this.#connection?.lines ?? [])];
    this.#phase = "closed";
    this.#released = true;
    for (let chunk = this.socket.read(); chunk !== null; chunk = this.socket.read()) rest.push(chunk as Buffer);
    this.#forget("moved");
    clearTimeout(this.#timer);
    this.socket.destroy(); // In this same tick: whatever arrives from now on waits in the kernel for the next edge.
    return { rest: Buffer.concat(rest), lines, state: this.#connection?.state, heard: this.#connection?.heard };
  }

  #read(chunk: Buffer): void {
    if (this.#phase === "header") this.#readHeader(chunk);
    else if (this.#phase === "open") {
      this.#framer.push(chunk);
      this.#pump();
    }
  }

  #readHeader(chunk: Buffer): void {
    this.#header = this.#header.length === 0 ? chunk : Buffer.concat([this.#header, chunk]);
    const result = decodeProxy(this.#header);
    if (result.kind === "bad") this.#badHeader();
    if (result.kind !== "header") return;
    clearTimeout(this.#timer);
    const rest = this.#header.subarray(result.bytes);
    this.#header = NOTHING;
    this.#timer = undefined;
    this.#meet(result.facts);
    this.#read(rest);
  }

  #badHeader(): void {
    this.house.count("edge.closedProxy");
    this.end("limit");
  }

  #meet(header: ProxyFacts | undefined): void {
    const facts = this.house.facts(header, this.arrival.origin);
    this.house.met(this.arrival, facts);
    this.#open(facts);
  }

  #open(facts: ClientFacts): void {
    const { adopted, carried, state } = this.arrival;
    this.#phase = "open";
    this.#isCheck = facts.local;
    if (!this.#isCheck) this.house.count(adopted ? "edge.adopted" : "edge.opened");
    this.#connection = this.house.switchboard.open(facts, this, {
      adopted: adopted && !carried?.state,
      state: carried ? carried.state : state,
      heard: carried?.heard,
      lines: carried?.lines as readonly HeldLine[] | undefined,
    });
  }

  /** C1 */
  #pump(): void {
    const connection = this.#connection;
    const { switchboard } = this.house;
    if (!connection || connection.closed || this.#holding) return;
    let lines = 0;
    while (switchboard.hasRoom(connection)) {
      const line = this.#framer.take();
      if (line === "too-long") {
        this.house.count("edge.closedTooLong");
        this.end("limit");
        break;
      }
      if (line === undefined) {
        this.#room(connection);
        break;
      }
      switchboard.line(connection, line);
      lines++;
    }
    this.house.count("edge.lines", lines);
    if (!connection.closed && !switchboard.hasRoom(connection)) this.#noRoom(connection);
  }

  #room(connection: Connection): void {
    if (this.#phase === "ended") {
      connection.waiting = true;
      if (connection.lines.length === 0) this.end("client");
    } else if (this.socket.isPaused()) {
      connection.waiting = false;
      this.socket.resume();
    }
  }

  #noRoom(connection: Connection): void {
    if (!this.socket.isPaused()) this.house.count("edge.paused");
    connection.waiting = true;
    this.socket.pause();
  }

  /** C4 */
  #halfClosed(): void {
    if (this.#phase === "header") return void this.socket.destroy();
    if (this.#phase === "closing") return void this.socket.destroy(); // Both sides have said all.
    if (this.#phase !== "open") return;
    this.#phase = "ended";
    this.#timer = setTimeout(() => this.socket.destroy(), this.house.settings.lingerMs);
    this.#pump();
  }

  #letGo(): void {
    if (!this.#holding || this.#flushing) return;
    if (this.socket.writableLength > 0) {
      this.#flushing = true; // An empty write calls back when everything before it is flushed.
      this.socket.write("", () => {
        this.#flushing = false;
        this.#letGo();
      });
    } else if ((this.#connection?.lines.length ?? 0) === 0) this.#holding();
  }

  #gone(): void {
    clearTimeout(this.#timer);
    this.house.debts.gone(this);
    if (this.#released) return;
    if ((this.#phase === "open" || this.#phase === "ended") && !this.#isCheck) this.house.count("edge.closed");
    this.#phase = "closed";
    this.#forget("client");
    this.#holding?.();
    this.house.gone(this);
  }

  #forget(reason: CloseReason): void {
    if (this.#connection) this.house.switchboard.close(this.#connection, reason);
  }
}
