// What the keeper is given: its bounds, and the way to sockets, processes and time.

import type { EdgeSays, KeeperEvent, KeeperSays } from "../../lib/contracts/index.js";

/** A client's connection; what it is beyond this, only the doors and the edges know. */
export interface KeptSocket {
  destroy(): unknown;
  on(event: "error", listener: () => void): unknown;
}

/** An edge that has ended. */
export interface Dead {
  readonly pid: number;
  readonly mark?: string | undefined;
}

/** An edge process, as the keeper sees it. */
export interface EdgePort<Socket> {
  readonly epoch: number;
  readonly pid: number | undefined;
  /** Which process it is (lib/process-mark.ts). */
  readonly mark?: string | undefined;
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
  learned?(message: Extract<EdgeSays, { kind: "meta" | "states" | "drop" | "reach" }>): void;
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
