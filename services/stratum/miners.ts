// miners: what this instance can say of the connections it serves, page by page. Pure.
//
//   Connections + { match, by, after, limit } --> a page of Miner, and where the next one begins
//
//   M1. A call looks at LOOK_MAX connections at most, so that a question about a hundred thousand miners holds up no share: whoever
//       wants them all asks again.

import {
  chain,
  type Miner,
  type MinerField,
  type ProofOfWorkName,
  type StratumContract,
} from "../../lib/contracts/index.js";
import type { ReplyOf, RequestOf } from "../../lib/wiring/index.js";
import type { Connection, Connections } from "./connections.js";

/** M1. Some two milliseconds. */
const LOOK_MAX = 5_000;

export interface MinersParts {
  readonly connections: Connections;
  /** Of the present job; undefined: there was none yet, so no share either. */
  readonly proofOfWork: ProofOfWorkName | undefined;
  /** Monotonic. */
  readonly nowMs: number;
}

export function pageOfMiners(
  { connections, proofOfWork, nowMs }: MinersParts,
  { match, by, limit, after }: RequestOf<StratumContract, "miners">,
): ReplyOf<StratumContract, "miners"> {
  const wanted = match?.toLowerCase();
  const hashes = proofOfWork === undefined ? 0 : chain.hashesPerDifficulty(proofOfWork);
  const miners: Miner[] = [];
  let looked = 0;
  for (const connection of connections.after(after)) {
    if (miners.length === limit || looked === LOOK_MAX) {
      return { miners, next: connection.number - 1, connections: connections.size };
    }
    looked++;
    if (wanted === undefined || matches(connection, wanted, by)) miners.push(minerOf(connection, hashes, nowMs));
  }
  return { miners, connections: connections.size };
}

function matches({ id, address, session }: Connection, wanted: string, by: MinerField | undefined): boolean {
  const has = (field: MinerField, text: string) =>
    (by === undefined || by === field) && text.toLowerCase().includes(wanted);
  return has("connection", id) || has("address", address) || session.workers.some((worker) => has("worker", worker));
}

function minerOf(connection: Connection, hashes: number, nowMs: number): Miner {
  const { id, address, listener, session, figures } = connection;
  const { lastShareAt, servedSince, accepted, refusals } = figures;
  return {
    connection: id,
    address,
    listener,
    agent: session.agent,
    workers: [...session.workers],
    phase: session.phase === "mining" ? "mining" : "subscribing",
    ...(session.phase === "mining" && { difficulty: session.announced ?? session.difficulty }),
    hashrate: figures.workPerSecond(nowMs) * hashes,
    since: connection.since ?? servedSince,
    servedSince,
    ...(lastShareAt !== undefined && { lastShareAt }),
    accepted,
    rejected: Object.fromEntries(refusals),
  };
}
