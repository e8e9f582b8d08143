// Finds, in a Redis Cluster, the server that has our keys, and connects there.
//
//   nodes of the configuration -> one is asked for one of our keys -> it has it, or says who does (MOVED) -> connect there
//
//   R1. All keys of an installation have one hash tag (state/keys.ts), so they lie in one slot, which one server owns at a time: a
//       plain connection to that server is all that is needed, and scripts over several keys work. Redis Cluster gives an
//       installation fail-over, not more room; roles may lie on different clusters or servers.
//   R2. The owner is asked for at every connect. One that no longer owns the slot answers MOVED, one that is gone breaks its socket,
//       one that stands still lets it time out (connect.ts): each makes us connect, and ask, again.
//   R3. Any node will do to ask. Each connect begins with the next one, so that one that is dead is passed by, and ends with the
//       others.
//
// Source: https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/ (MOVED redirection, hash tags).

import { connect as connectPlain, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { connect as connectSecure } from "node:tls";
import { AbstractConnector, Redis, type RedisOptions } from "ioredis";
import { messageOf } from "../thrown.js";

export interface ClusterNode {
  readonly host: string;
  readonly port: number;
}

/** A node that is gone must not hold up a fail-over: the next one is asked after this. */
const ASK_TIMEOUT_MS = 1_000;
/** As redis-open.ts' probe: the client waits as long for a socket that has ended already. */
const DISCONNECT_TIMEOUT_MS = 100;

/** Errors by which a server says that our slot is (or will be) somebody else's. Nothing ran. */
const ELSEWHERE = /^(MOVED|ASK|READONLY|CLUSTERDOWN) /;
export const isElsewhere = (error: Error): boolean => ELSEWHERE.test(`${error.message} `);

/** How a node is spoken to, apart from where it is. */
type Manner = Pick<RedisOptions, "username" | "password" | "tls">;

/** What the client hands its connector. Null: one attempt. */
interface Given {
  readonly retryStrategy?: ((times: number) => unknown) | null;
}

/**
 * A connector for ioredis' option `Connector`. As long as nobody says who has our keys it goes on asking, in the rhythm of the
 * connection's `retryStrategy`: a connector that gives up ends the connection for good.
 *
 * @param ourKey Any key of this installation; it need not exist.
 */
export function clusterConnector(
  nodes: readonly ClusterNode[],
  ourKey: string,
  manner: Manner,
): NonNullable<RedisOptions["Connector"]> {
  return class extends AbstractConnector {
    #turn = 0;
    readonly #retry: Given["retryStrategy"];

    constructor(given: unknown) {
      super(DISCONNECT_TIMEOUT_MS);
      this.#retry = (given as Given).retryStrategy;
    }

    /** @throws {Error} that names every node and what it said, when it shall not go on asking. */
    override async connect(tell: (type: string, error: Error) => void): Promise<Socket> {
      this.connecting = true;
      for (let times = 1; ; times++) {
        const owner = await this.#ask();
        if (!this.connecting) throw new Error("Connection is closed."); // The client's own words, which it knows.
        if (!(owner instanceof Error)) return this.#connectTo(owner);
        const pauseMs = this.#retry?.(times);
        if (typeof pauseMs !== "number") throw owner;
        tell("error", owner);
        await sleep(pauseMs);
      }
    }

    async #ask(): Promise<ClusterNode | Error> {
      const first = this.#turn++;
      const said: string[] = [];
      for (const index of nodes.keys()) {
        const node = nodes[(first + index) % nodes.length];
        if (!node) continue;
        try {
          return await whoOwns(node, ourKey, manner);
        } catch (error) {
          said.push(`${node.host}:${node.port}: ${messageOf(error)}`);
        }
      }
      return new Error(`no node of the cluster says who has our keys (${said.join("; ")})`);
    }

    #connectTo(owner: ClusterNode): Socket {
      const socket = manner.tls ? connectSecure({ ...owner, ...manner.tls }) : connectPlain({ ...owner });
      socket.once("error", (error: Error) => {
        this.firstError = error;
      });
      this.stream = socket;
      return socket;
    }
  };
}

async function whoOwns(node: ClusterNode, ourKey: string, manner: Manner): Promise<ClusterNode> {
  const limits = {
    connectTimeout: ASK_TIMEOUT_MS,
    maxRetriesPerRequest: 0,
    retryStrategy: null,
    disconnectTimeout: DISCONNECT_TIMEOUT_MS,
  };
  const asked = new Redis({ ...manner, ...node, ...limits, lazyConnect: true, enableReadyCheck: false });
  let broke: Error | undefined;
  asked.on("error", (error) => {
    broke ??= error; // The event carries the reason; the rejection often only says that the connection is closed.
  });
  const timer = setTimeout(() => {
    broke ??= new Error(`did not answer within ${ASK_TIMEOUT_MS} ms`);
    asked.disconnect();
  }, ASK_TIMEOUT_MS);
  try {
    await asked.connect();
    await asked.exists(ourKey);
    return node;
  } catch (error) {
    const owner = error instanceof Error ? movedTo(error.message, node) : undefined;
    if (owner) return owner;
    throw broke ?? error;
  } finally {
    clearTimeout(timer);
    asked.disconnect();
  }
}

/** `MOVED 3999 10.0.0.2:6381`. An empty host means: the one that was asked. */
function movedTo(message: string, asked: ClusterNode): ClusterNode | undefined {
  const moved = /^MOVED \d+ (.*):(\d+)$/.exec(message);
  if (!moved) return undefined;
  return { host: moved[1] || asked.host, port: Number(moved[2]) };
}
