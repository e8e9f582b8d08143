// The edge that stands by: forked ahead of time, loaded, waiting for the day on which the serving one dies.
//
//   nobody --later--> loading --standby--> standing --take--> it serves, and is the keeper's
//      ^-----------------ended, dismissed--------'
//
// Starting a process costs half a second to a second, during which clients would wait; handing over sockets costs milliseconds.
// The price is the memory of one idle edge.
//
//   B1. There is at most one. While a new edge is being started one that stands is kept, as it could serve at once if the serving one died;
//       one that still loads is dismissed, and the kept one is when the new edge has every client: it may be of an older version.
//   B2. One that dies or never gets ready is followed by another, after a pause that doubles up to 5 s.

import type { KeeperEvent } from "../../lib/contracts/index.js";
import type { EdgePort } from "./ports.js";
import type { Reserve } from "./succession.js";

export interface StandbyHooks<Socket> {
  fork(): EdgePort<Socket>;
  later(ms: number, what: () => void): () => void;
  log(event: KeeperEvent, fields?: Readonly<Record<string, unknown>>): void;
}

/** The serving edge has just begun: its clients come first. */
const PAUSE_FIRST_MS = 1_000;
const PAUSE_MAX_MS = 5_000;
/** One that does not stand by then never will. */
const LOAD_MS = 60_000;
/** It has no clients to say goodbye to. Shorter than a keeper waits for its edges when it stops. */
const DISMISSED_MS = 2_000;

export class Standby<Socket> {
  #edge: EdgePort<Socket> | undefined;
  #standing = false;
  #pauseMs = PAUSE_FIRST_MS;
  #callOff: (() => void) | undefined;

  constructor(
    readonly wanted: boolean,
    private readonly hooks: StandbyHooks<Socket>,
  ) {}

  get state(): Reserve {
    return this.#edge === undefined ? "none" : this.#standing ? "standing" : "loading";
  }

  get edge(): EdgePort<Socket> | undefined {
    return this.#edge;
  }

  /** There shall be one, a little later. @param atLeastMs For edges that die young. */
  prepare(atLeastMs = 0): void {
    if (!this.wanted || this.#edge) return;
    this.#callOff?.();
    this.#callOff = this.hooks.later(Math.max(this.#pauseMs, atLeastMs), () => this.#fork());
  }

  /** It says that it stands by. */
  stands(edge: EdgePort<Socket>): void {
    if (edge !== this.#edge) return;
    this.#standing = true;
    this.#pauseMs = PAUSE_FIRST_MS;
    this.hooks.log("edge stands by", { epoch: edge.epoch, edgePid: edge.pid });
  }

  /** The one that stands by, if there is one; it is no longer ours. */
  take(): EdgePort<Socket> | undefined {
    if (!this.#standing) return undefined;
    const edge = this.#edge;
    this.#forget();
    return edge;
  }

  /** B2. True: it was this one. */
  ended(edge: EdgePort<Socket>): boolean {
    if (edge !== this.#edge) return false;
    this.#forget();
    this.#pauseMs = Math.min(this.#pauseMs * 2, PAUSE_MAX_MS);
    return true;
  }

  /** B1 */
  dismissLoading(): void {
    if (!this.#standing) this.dismiss();
  }

  /** B1 */
  dismiss(): void {
    const edge = this.#edge;
    this.#forget();
    if (!edge) return;
    edge.signal("SIGTERM");
    this.hooks.later(DISMISSED_MS, () => edge.signal("SIGKILL")); // One that stands still hears no SIGTERM.
  }

  #fork(): void {
    const edge = this.hooks.fork();
    this.#edge = edge;
    this.#callOff = this.hooks.later(LOAD_MS, () => {
      if (this.#edge === edge && !this.#standing) edge.signal("SIGKILL");
    });
  }

  #forget(): void {
    this.#callOff?.();
    this.#callOff = undefined;
    this.#edge = undefined;
    this.#standing = false;
  }
}
