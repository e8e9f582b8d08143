// connection: what the edge remembers of one client, so that any backend can serve it next.
//
//   client --line--> held until a backend acknowledged it --> forgotten
//
//   N1. Line numbers only grow, also over the restarts of the edge: they begin at epoch * 2^32 + 1.
//   N2. Lines leave by acknowledgement only, in whatever order these come.

import type { ClientFacts, CloseReason, Handle, LineNumber } from "../../lib/contracts/index.js";
import type { Backend } from "./backend.js";

/** The client's socket, as the switchboard sees it. */
export interface ClientPort {
  /**
   * Never waits, never throws. A client that reads too slowly is closed by the port itself.
   *
   * @param alone Mostly nothing else follows in this tick: need not wait for it. Default false.
   */
  write(bytes: Uint8Array, alone?: boolean): void;
  /** A backend's newest state of it: it must outlive this process. */
  stated(state: Uint8Array): void;
  /** Close once everything written is flushed. */
  end(reason: CloseReason, text: string): void;
  /** Lines were acknowledged while `connection.waiting` was set, or memory is free again. */
  relieved(): void;
}

export interface HeldLine {
  readonly number: LineNumber;
  readonly bytes: Uint8Array;
}

/** What earlier edges knew of a client. */
export interface Before {
  readonly adopted: boolean;
  readonly state?: Uint8Array | undefined;
  readonly heard?: string | undefined;
  readonly lines?: readonly HeldLine[] | undefined;
}

/** What a line costs beside its bytes, roughly, in memory and on the wire. */
const LINE_OVERHEAD_BYTES = 96;
/** Groups a connection may be in at once; backends use one or two. */
export const GROUPS_MAX = 16;
export const NUMBERS_PER_EPOCH = 2 ** 32;

/** Bytes that a held line counts. */
export function costOf(line: HeldLine): number {
  return line.bytes.length + LINE_OVERHEAD_BYTES;
}

export class Connection {
  /** Unacknowledged, oldest first. */
  readonly lines: HeldLine[] = [];
  /** Few, and mostly one: a set would cost each client some hundred bytes. */
  groups: readonly string[] = [];
  heldBytes = 0;
  owner: Backend | undefined;
  /** Its name at `owner`: a new one for every owner, so that nothing an earlier owner says can be taken for the present one's. */
  handle = 0 as Handle;
  /** As text, a byte a character: the bytes came with thousands of others' in one message, which they would keep in memory. */
  #state: string | undefined;
  /** `heard` of what the client was sent last. Of a broadcast it is one text for thousands. */
  heard: string | undefined;
  /** Newest line that was sent to the owner, and newest that it is known to have taken; 0: the `open`, -1: not even that. */
  sent = -1;
  taken = -1;
  /** Backends that failed with it, or with its oldest line, in hand, and what was proven then (trial.ts). */
  strikes = 0;
  struckAt = 0;
  /** How often a backend was to be told that it has left. */
  farewells = 0;
  /** The port wants to hear of acknowledgements. */
  waiting = false;
  closed = false;
  /** Why it was closed. */
  reason: CloseReason = "client";
  #lastNumber: number;

  constructor(
    readonly facts: ClientFacts,
    readonly port: ClientPort,
    /** Older than this edge process and not handed over, and no backend has handed over state since. */
    public adopted: boolean,
    epoch: number,
  ) {
    this.#lastNumber = epoch * NUMBERS_PER_EPOCH;
  }

  /** What the backend has handed over last; a copy. */
  get state(): Uint8Array | undefined {
    return this.#state === undefined ? undefined : Buffer.from(this.#state, "latin1");
  }

  set state(bytes: Uint8Array | undefined) {
    this.#state = bytes && Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
  }

  /** Numbers the line and keeps it. */
  hold(bytes: Uint8Array): HeldLine {
    const line = { number: ++this.#lastNumber as LineNumber, bytes };
    this.keep(line);
    return line;
  }

  /** Keeps a line that has its number: one that another edge process handed over. Older than all of `hold`'s. */
  keep(line: HeldLine): void {
    this.lines.push(line);
    this.heldBytes += costOf(line);
  }

  /** N2. Returns the bytes set free: 0 when none of these lines is held (acknowledged before). */
  acknowledge(numbers: readonly LineNumber[]): number {
    const before = this.heldBytes;
    let first = 0; // Nearly always they are the oldest ones, in order.
    while (first < numbers.length && this.lines[first]?.number === numbers[first]) first++;
    if (first > 0) this.strikes = 0; // Whatever failed, it was not that line.
    if (first > 0 && first === this.lines.length) {
      this.lines.length = 0; // Also its memory goes back: most clients are idle most of the time.
      this.heldBytes = 0;
    } else for (const line of this.lines.splice(0, first)) this.heldBytes -= costOf(line);
    for (let i = first; i < numbers.length; i++) this.#acknowledgeOne(numbers[i]);
    return before - this.heldBytes;
  }

  #acknowledgeOne(number: LineNumber | undefined): void {
    const at = this.lines.findIndex((line) => line.number === number);
    const [line] = at < 0 ? [] : this.lines.splice(at, 1);
    if (at === 0) this.strikes = 0;
    if (line) this.heldBytes -= costOf(line);
  }

  /** The owner has taken lines that it has not acknowledged. */
  get busy(): boolean {
    const oldest = this.lines[0];
    return oldest !== undefined && oldest.number <= this.taken;
  }
}
