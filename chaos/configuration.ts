// The configuration of the pool on the stage.

import { type DaemonStandIn, STAND_IN_COIN } from "./daemon.js";

/** An eighth of 2^32 below Bitcoin's easiest: every hash is a share, so that a client need not search for one. */
const DIFFICULTY = 1e-12;
const CONNECTIONS_SPARE = 1_000;
const LOG_LENGTH_MIN = 1_000;

export interface Places {
  /** Where every service listens, unless it is told otherwise. */
  readonly host: string;
  /** Where clients connect. */
  readonly port: number;
  readonly redisPort: number;
  readonly statsdPort: number;
  readonly daemons: readonly DaemonStandIn[];
  /** Folder of the spool. */
  readonly spool: string;
}

export interface Sizes {
  readonly clients: number;
  /** Shares that the log must be able to hold. */
  readonly shares: number;
  /** Of stratum, over what is here. */
  readonly stratum?: Readonly<Record<string, unknown>>;
}

export function configuration(
  { clients, shares, stratum }: Sizes,
  { host, port, redisPort, statsdPort, daemons, spool }: Places,
) {
  const many = 2 * clients + CONNECTIONS_SPARE;
  const door = { name: "default", host: "127.0.0.1", port };
  return {
    cluster: "chaos",
    host,
    redis: { url: `redis://${host}:${redisPort}` },
    statsd: { host, port: statsdPort },
    jobmanager: {
      coin: STAND_IN_COIN,
      network: "regtest",
      payout: { script: `0014${"00".repeat(20)}` },
      daemons: daemons.map(({ url }, i) => ({ name: `daemon-${i + 1}`, url, user: "chaos", timeoutMs: 2_000 })),
    },
    stratum: {
      listeners: {
        default: {
          difficulty: { start: DIFFICULTY, floor: DIFFICULTY, ceiling: DIFFICULTY },
          vardiff: { enabled: false },
        },
      },
      ...stratum,
    },
    // Nothing is trimmed away: at the end the whole log is compared with what clients were told.
    reporter: {
      spool: { directory: spool },
      logLength: Math.max(LOG_LENGTH_MIN, 2 * shares),
      logLengthMax: 4 * Math.max(LOG_LENGTH_MIN, shares),
    },
    haproxy: {
      connectionsMax: many,
      listeners: [{ ...door, connectionsMax: many, connectionsPerAddress: many, newPer10sPerAddress: 10 * many }],
    },
  };
}
