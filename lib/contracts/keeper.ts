// keeper: what the keeper and its edge say to each other over the IPC channel that the keeper forked the edge with.
//
//   keeper --keep(+ socket) | serve | client(+ socket) | all | handover | died | ping | stop--> edge
//   keeper <--standby | ready | reach | kept | took | missing | meta | states | drop | leaving | released | released-all | pong-- edge
//
// The keeper holds a duplicate of every client's file descriptor and reads nothing. The edge may die at any moment, so
// what must outlive it is told to the keeper as soon as it is known, and comes back with the socket.
//
//   K1. Nothing is sent to an edge before it said `ready`, or `standby`. Its epoch (a number that only grows, from 0 on) is in its
//       environment (EdgeEpochVariable).
//   K2. `meta` is sent as soon as the PROXY header is decoded: bytes that were read are read once, in all epochs together.
//   K3. A hand-over loses nothing. The old edge stops reading a client, waits for its acknowledgements and writes, and sends
//       what it read but could not finish along (`released`); only then does the keeper give the client to the new edge. Half a line that
//       was written cannot be sent along: a client that does not read stays with the old edge for some seconds, and is closed then.
//   K4. Either side ignores a `kind` that it does not know: the two may be of different versions.
//   K5. An edge that was forked to stand by (EdgeStandbyVariable) loads everything, says `standby` and waits. `serve` makes it
//       the serving edge; clients follow right behind, without another word from it.
//   K6. A keeper that is upgraded speaks to its successor as to an edge: it gives it every client with `client`, and hears `ready`,
//       `meta` and `drop` from it. Beyond that: SuccessorHears, SuccessorSays.
//   K7. A socket takes its turn in Node's channel, so a thousand of them take a second. An edge that says `keeps` is therefore lent
//       duplicates ahead of the day (`keep`), which it holds and does not read; `client` then needs no socket. `tell-kept` is answered
//       when all that were sent before it have arrived.
//   K8. `states` is sent in the tick in which a backend said them, before the client can see the answer that they belong to. So the
//       clients of an edge that was killed are served by its successor without asking anybody, be shared state away or not.
//   K9. `all` follows the clients that an edge takes over. Until then it reads none of them: each takes a turn in the channel, with a
//       socket a slow one, and a process that is busy with the first comers lets the last ones wait.
//   K10. `ping` is answered with `pong` at once. An edge that has answered one and then says nothing for 600 ms stands still: it is
//        killed, so that the next one gets its clients.
//
//   K11. `reaches` says whether a backend takes lines from the edge; `reach` follows when that changes. While the serving edge reaches one,
//        an edge that reaches none is not ready to take its place.
//   K12. `took` confirms clients that arrived. A socket that finds the edge without a free file descriptor is lost on the way, without a
//        word from Node: a client that was not confirmed when a `confirm` behind it is answered is given again, and closed when that
//        does not help. `missing` asks for it at once. Only an edge that says `confirms` is expected to.
//
// Types only: the keeper runs without any package. Serialization is Node's "advanced" (bytes stay bytes).

/** Set by the keeper for every edge that it forks; holds the epoch in decimal. */
export type EdgeEpochVariable = "HEADFRAME_EDGE_EPOCH";

/** Where the keeper listens, as `unix:/path` and `HOST:PORT`, one space between two. */
export type KeeperDoorsVariable = "HEADFRAME_KEEPER_DOORS";

/** Set to 1 for an edge that is to stand by (K5). */
export type EdgeStandbyVariable = "HEADFRAME_EDGE_STANDBY";

/** Set for a keeper that is to take over from another one, its parent: that one's pid. Circus's manager looks for it, too. */
export type PredecessorVariable = "HEADFRAME_SUCCEEDS";
/** Set for a successor: the first epoch it may give to an edge. */
export type FirstEpochVariable = "HEADFRAME_KEEPER_EPOCH";
/** Set for a successor: the first number it may give to a client of its own. */
export type FirstClientVariable = "HEADFRAME_KEEPER_CLIENT";

/** What a keeper says in its log about edges and successors; commands that follow a hand-over read it. */
export type KeeperEvent =
  | "fewer clients are kept than --max-connections says: each needs an open file; raise the limit (ulimit -n, LimitNOFILE)"
  | "listening"
  | "stopping"
  | "edge started"
  | "edge stands by"
  | "edge ready"
  | "edge ended"
  | "edge says nothing: it is killed"
  | "hand-over done"
  | "hand-over cut short: the old edge ended, and clients it had not released are given as it had told of them"
  | "hand-over asked for while one is going on: ignored"
  | "hand-over took too long: the old edge is killed"
  | "hand-over failed: the new edge ended before it was ready; the old one stays"
  | "a new edge is ready and reaches no backend, as the old one does: the old one serves on"
  | "clients did not reach the edge: they are given again"
  | "clients did not reach the edge twice: they are closed (is it out of file descriptors?)"
  | "successor started"
  | "successor ready"
  | "upgrade asked for while edges change: ignored"
  | "upgrade failed: the successor ended; this keeper stays"
  | "upgrade done: the successor has every client";

/** One line of that log, as JSON. */
export interface KeeperLine {
  readonly name: "keeper";
  readonly time: number;
  readonly pid: number;
  readonly msg: KeeperEvent;
  readonly epoch?: number;
  readonly edgePid?: number;
  readonly standby?: boolean;
  readonly clients?: number;
  readonly count?: number;
  /** How an edge or a successor ended. */
  readonly how?: string;
}

/** What the PROXY header said of a client (or, without one, what the socket says). */
export interface ClientFacts {
  /** Key of the connection's state: HAProxy's unique id, or one that the edge made. */
  readonly connection: string;
  readonly listener: string;
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly secure: boolean;
  /** A health check of the proxy's, not a client: no backend hears of it before it says something. */
  readonly local: boolean;
  /** When it came, milliseconds since the epoch. */
  readonly since?: number | undefined;
}

/** What one edge hands to the next with a client. */
export interface Carried {
  /** Read from the socket, but not yet a line that any backend has seen: usually the beginning of one. */
  readonly rest: Uint8Array;
  /** Seen by a backend, not acknowledged by it: to be sent again. Oldest first. */
  readonly lines: readonly { readonly number: number; readonly bytes: Uint8Array }[];
  /** The backend's newest state of the connection. */
  readonly state?: Uint8Array | undefined;
  /** What the client has heard, in the backend's words (lines.ts). */
  readonly heard?: string | undefined;
}

/** Where a client came in. */
export interface Origin {
  /** Name of the keeper's (or edge's own) listening socket. */
  readonly door: string;
  /** The peer's address; "unix" for a unix socket. */
  readonly address: string;
  readonly port: number;
}

export type KeeperSays =
  | {
      /** Travels with the socket, unless that was lent before. Without any, the client has gone meanwhile. */
      readonly kind: "client";
      /** The keeper's number of the client; unique for the keeper's life. */
      readonly id: number;
      readonly origin: Origin;
      /** Absent: the PROXY header, if there is to be one, has not been read. */
      readonly facts?: ClientFacts | undefined;
      /** Present after a planned hand-over. */
      readonly carried?: Carried | undefined;
      /** The backend's newest state that an earlier edge told (K8); absent when `carried` is there, and when there is none. */
      readonly state?: Uint8Array | undefined;
      /** An earlier edge has had this client. */
      readonly adopted: boolean;
      /** The edge has been lent the socket (K7). */
      readonly kept?: boolean | undefined;
    }
  | { /** Travels with a socket: hold it, read nothing of it (K7). */ readonly kind: "keep"; readonly id: number }
  | { /** The client is gone: close the duplicate that was lent. */ readonly kind: "forget"; readonly id: number }
  | { /** Say `kept` (K7). */ readonly kind: "tell-kept" }
  | {
      /** From now on this edge is the one: it stood by (K5), or the keeper found it ready (K11). */ readonly kind: "serve";
    }
  | { /** Every client that there was has been sent (K9). */ readonly kind: "all" }
  | { /** Another edge is ready: give every client back. */ readonly kind: "handover" }
  | {
      /** The keeper saw this edge process end: discovery may forget it. */ readonly kind: "died";
      readonly pid: number;
      /** Which process it was (lib/process-mark.ts), read when it started. */
      readonly mark?: string | undefined;
    }
  | { /** Say `confirmed` (K12). */ readonly kind: "confirm"; readonly nth: number }
  | { /** Say `pong` (K10). */ readonly kind: "ping" }
  | { /** The keeper ends: no hand-over follows, say goodbye to the clients. */ readonly kind: "stop" };

export interface Abilities {
  /** Sockets may be lent (K7). */
  readonly keeps?: boolean;
  /** K11 */
  readonly reaches?: boolean;
  /** K12 */
  readonly confirms?: boolean;
}

export type EdgeSays =
  | ({ /** Clients may be sent. */ readonly kind: "ready" } & Abilities)
  | ({ /** It could serve at once, and waits for the word (K5). */ readonly kind: "standby" } & Abilities)
  | { /** K11 */ readonly kind: "reach"; readonly reaches: boolean }
  | { /** K12. These clients are here. */ readonly kind: "took"; readonly ids: readonly number[] }
  | { /** K12. So far the channel was read. */ readonly kind: "confirmed"; readonly nth: number }
  | {
      /** K12. The client was given without a socket, and none was lent. */ readonly kind: "missing";
      readonly id: number;
    }
  | { /** All sockets that were lent before `tell-kept` are here. */ readonly kind: "kept" }
  | { readonly kind: "meta"; readonly id: number; readonly facts: ClientFacts }
  | {
      /** The newest states of these clients, at most STATE_BYTES_MAX each (K8). */ readonly kind: "states";
      readonly states: readonly { readonly id: number; readonly state: Uint8Array }[];
    }
  | { /** The client is gone, or must go: close the duplicate. */ readonly kind: "drop"; readonly id: number }
  | { /** This edge was asked to end: fork another one and hand over. */ readonly kind: "leaving" }
  | { readonly kind: "released"; readonly id: number; readonly carried: Carried }
  | { /** Every client was released; the edge ends by itself now. */ readonly kind: "released-all" }
  | { /** A sign of life (K10). */ readonly kind: "pong" };

/** What only a successor hears (K6). */
export type SuccessorHears =
  | {
      /** Travels with a listening socket: that of the --listen flag of this place, from 0. */ readonly kind: "door";
      readonly index: number;
    }
  | { /** Everything was sent: the predecessor ends as soon as it hears `taken`. */ readonly kind: "yours" };

/** What only a successor says (K6). */
export type SuccessorSays = { /** It holds everything that it was sent. */ readonly kind: "taken" };
