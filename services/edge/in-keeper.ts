// in-keeper: the edge's side of the IPC channel to the keeper that forked it.
//
//   keeper --keep(+ socket), serve, client(+ socket), all, handover, died, ping, stop--> Clients
//   keeper <--reach, took, missing, meta, states, drop, released, pong -- Clients
//
//   standing-by --serve--> serving --handover--> handing-over --> done
//
//   H1. A hand-over goes in slices: while one slice's clients wait (some milliseconds), all others are served.
//   H2. A client is released only after its `close moved` was taken by its backend (or that took too long), so that a backend
//       seldom sees two owners of one connection.
//   H3. The channel closed: the keeper is gone and with it the only owner of these clients. The process ends. It may have closed before
//       anybody here listened: then there is no event, so it is looked at.
//   H4. Clients that are adopted are read when the last one has come (K9 of the contract), or after ROLL_MS: a keeper of an earlier
//       version does not say that it was the last one, and some thousands of sockets take longer. They are taken in slices, so that
//       the keeper hears of us meanwhile (K10).
//   H5. A client that has not taken all that it was sent stays until it has, or for SLOW_MS: half a line that was written cannot be
//       finished by another process. After that it is closed, as one that does not read (C2 of in-client.ts).

import type { Socket } from "node:net";
import type {
  EdgeEpochVariable,
  EdgeSays,
  EdgeStandbyVariable,
  KeeperDoorsVariable,
  KeeperSays,
} from "../../lib/contracts/index.js";
import type { Log } from "../../lib/wiring/index.js";
import type { Clients, Giver } from "./in-clients.js";
import { Lent } from "./in-lent.js";

const EPOCH_VARIABLE: EdgeEpochVariable = "HEADFRAME_EDGE_EPOCH";
const STANDBY_VARIABLE: EdgeStandbyVariable = "HEADFRAME_EDGE_STANDBY";
const DOORS_VARIABLE: KeeperDoorsVariable = "HEADFRAME_KEEPER_DOORS";
/** What discovery takes for one field. */
const META_CHARACTERS_MAX = 256;
/**
 * A client that has acknowledgements or writes under way is released anyway after this: unacknowledged lines travel along. Half of the
 * second that clients may wait, as a backend may stand still just then.
 */
const HOLD_MS = 500;
const FLUSH_MS = 500;
/** H5. Far less than a keeper waits for a hand-over. */
const SLOW_MS = 5_000;
/** H4. Some tens of milliseconds of work. */
const ADOPT_MAX = 1_024;
/** H4. A thousand sockets take half of it; the first comers of ten thousand shall not wait for the last ones. */
const ROLL_MS = 1_200;

type ClientMessage = Extract<KeeperSays, { kind: "client" }>;

export interface KeeperLinkOptions {
  readonly clients: Clients;
  readonly backends: { flushed(waitMs: number): Promise<void>; readonly reaches: boolean };
  /** Clients at a time. H1 */
  readonly slice: number;
  readonly log: Log;
  /** This process waits for the word to serve. */
  readonly standby: boolean;
  /** The word has come: clients follow in this tick. */
  onServe(): void;
  /** The keeper saw an edge process end. */
  onDied(dead: { readonly pid: number; readonly mark?: string | undefined }): void;
}

/** The epoch that the keeper gave this process; undefined: no keeper forked it. */
export function keeperEpoch(): number | undefined {
  const text = process.env[EPOCH_VARIABLE];
  return process.send && text !== undefined && /^\d{1,6}$/.test(text) ? Number(text) : undefined;
}

/**
 * For HAProxy's controller: where the keeper is found. Only doors at which a PROXY header is believed: elsewhere HAProxy's header
 * would be taken for a client's line.
 */
export function keeperMeta(trustedProxies: readonly string[]): { keeper?: string } {
  const doors = (process.env[DOORS_VARIABLE] ?? "").split(" ").filter((door) => door !== "");
  const trustsUnix = trustedProxies.includes("unix");
  const trustsOthers = trustedProxies.some((range) => range !== "unix");
  const told = doors.filter((door) => (door.startsWith("unix:") ? trustsUnix : trustsOthers));
  while (told.join(" ").length > META_CHARACTERS_MAX) told.pop();
  return told.length === 0 ? {} : { keeper: told.join(" ") };
}

/** Whether the keeper wants this process to wait until the serving edge is gone. */
export function standsBy(): boolean {
  return process.env[STANDBY_VARIABLE] === "1";
}

/** Resolves when it is on its way (or the channel is broken, which is H3's concern). */
export function tellKeeper(message: EdgeSays): Promise<void> {
  return new Promise((resolve) => {
    if (process.connected && process.send) process.send(message, undefined, undefined, () => resolve());
    else resolve();
  });
}

export const KEEPER: Giver = {
  met: (id, facts) => void tellKeeper({ kind: "meta", id, facts }),
  stated: (states) => void tellKeeper({ kind: "states", states }),
  gone: (id) => void tellKeeper({ kind: "drop", id }),
};

export class KeeperLink {
  #phase: "standing-by" | "serving" | "leaving" | "handing-over" | "done" | "stopping";
  #left: (() => void) | undefined;
  /** H4. Undefined: all have come. */
  #roll: ClientMessage[] | undefined = [];
  #rollOver: NodeJS.Timeout | undefined;
  /** H4. All have come, and these have not been taken yet. */
  readonly #adopting: ClientMessage[] = [];
  readonly #lent: Lent;
  readonly #took: number[] = [];
  readonly #onMessage = (message: unknown, socket: unknown) =>
    this.#hear(message as KeeperSays, socket as Socket | undefined);
  readonly #onDisconnect = () => this.#done("the keeper is gone"); // H3

  constructor(readonly options: KeeperLinkOptions) {
    this.#lent = new Lent(options.clients.settings.connectionsMax);
    process.on("message", this.#onMessage);
    process.on("disconnect", this.#onDisconnect);
    this.#phase = options.standby ? "standing-by" : "serving";
    if (!process.connected) setImmediate(this.#onDisconnect); // H3
    const abilities = { keeps: true, confirms: true, reaches: options.backends.reaches };
    void tellKeeper({ kind: options.standby ? "standby" : "ready", ...abilities });
  }

  get standingBy(): boolean {
    return this.#phase === "standing-by";
  }

  /** True: the keeper said that it ends, and the clients end with it. */
  get stopping(): boolean {
    return this.#phase === "stopping";
  }

  /** Asks the keeper for a successor; resolves when every client was handed over, or after waitMs. */
  leave(waitMs: number): Promise<void> {
    if (this.standingBy || this.#phase === "done" || this.#phase === "stopping") return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, waitMs);
      this.#left = () => {
        clearTimeout(timer);
        resolve();
      };
      if (this.#phase !== "serving") return;
      this.#phase = "leaving";
      void tellKeeper({ kind: "leaving" });
    });
  }

  /** Lets go of the channel, so that the process can end by itself. */
  close(): void {
    clearTimeout(this.#rollOver);
    this.#lent.close();
    process.off("message", this.#onMessage);
    process.off("disconnect", this.#onDisconnect);
    if (process.connected) process.disconnect();
  }

  #hear(message: KeeperSays, socket: Socket | undefined): void {
    switch (message.kind) {
      case "client": {
        const here = socket !== undefined || (message.kept && this.#lent.has(message.id));
        if (here) this.#confirm(message.id);
        else if (message.kept) {
          void tellKeeper({ kind: "missing", id: message.id }); // K12: what was lent never came.
          return;
        }
        if (this.#roll && message.adopted && !message.carried) this.#later(message, socket);
        else this.#take(message, socket);
        return;
      }
      case "all":
        this.#endRoll();
        return;
      case "keep":
        if (socket) this.#lent.hold(message.id, socket);
        return;
      case "forget":
        this.#lent.forget(message.id);
        return;
      case "tell-kept":
        void tellKeeper({ kind: "kept" });
        return;
      case "serve":
        if (this.standingBy) this.#phase = "serving";
        this.options.onServe();
        return;
      case "handover":
        this.#endRoll();
        this.#adopt(Number.POSITIVE_INFINITY);
        void this.#handOver();
        return;
      case "died":
        this.options.onDied(message);
        return;
      case "confirm":
        this.#tellTook();
        void tellKeeper({ kind: "confirmed", nth: message.nth });
        return;
      case "ping":
        void tellKeeper({ kind: "pong" });
        return;
      case "stop":
        this.#phase = "stopping";
        this.#left?.();
        return;
    }
  }

  /** K12. All of a tick in one message. */
  #confirm(id: number): void {
    this.#took.push(id);
    if (this.#took.length === 1) process.nextTick(() => this.#tellTook());
  }

  #tellTook(): void {
    if (this.#took.length > 0) void tellKeeper({ kind: "took", ids: this.#took.splice(0) });
  }

  #take(message: ClientMessage, socket: Socket | undefined): void {
    const mine = message.kept ? this.#lent.take(message.id) : socket;
    if (!message.kept) this.#lent.forget(message.id);
    if (mine) this.options.clients.take(mine, message);
    else void tellKeeper({ kind: "drop", id: message.id });
  }

  /** H4 */
  #later(message: ClientMessage, socket: Socket | undefined): void {
    this.#rollOver ??= setTimeout(() => this.#endRoll(), ROLL_MS);
    if (socket) this.#lent.hold(message.id, socket);
    this.#roll?.push({ ...message, kept: true });
  }

  #endRoll(): void {
    clearTimeout(this.#rollOver);
    for (const client of this.#roll ?? []) this.#adopting.push(client);
    this.#roll = undefined;
    this.#adopt(ADOPT_MAX);
  }

  /** H4 */
  #adopt(most: number): void {
    for (const client of this.#adopting.splice(0, most)) this.#take(client, undefined);
    if (this.#adopting.length > 0) setImmediate(() => this.#adopt(ADOPT_MAX));
  }

  async #handOver(): Promise<void> {
    const { clients, slice } = this.options;
    this.#phase = "handing-over";
    const ids = clients.ids();
    const slow: number[] = [];
    while (ids.length > 0) slow.push(...(await this.#handOverSlice(ids.splice(0, slice), HOLD_MS)));
    for (const id of await this.#handOverSlice(slow, SLOW_MS)) clients.giveUp(id); // H5
    await this.options.backends.flushed(FLUSH_MS);
    await tellKeeper({ kind: "released-all" });
    this.#done("every client was handed over");
  }

  /** Whoever waits in `leave` ends the process already. */
  #done(why: string): void {
    this.#phase = "done";
    if (this.#left) this.#left();
    else {
      this.options.log.info(`edge ends: ${why}`);
      process.kill(process.pid, "SIGTERM"); // Whoever runs this process closes everything in order.
    }
  }

  /** H1, H2. @returns those that stay (H5). */
  async #handOverSlice(ids: readonly number[], holdMs: number): Promise<number[]> {
    const { clients, backends } = this.options;
    await Promise.all(ids.map((id) => clients.hold(id, holdMs)));
    const released: EdgeSays[] = [];
    const slow: number[] = [];
    for (const id of ids) {
      if (clients.unsent(id)) {
        slow.push(id);
        continue;
      }
      const carried = clients.release(id);
      if (carried) released.push({ kind: "released", id, carried });
    }
    await backends.flushed(FLUSH_MS);
    await Promise.all(released.map(tellKeeper));
    return slow;
  }
}
