// House: what every service process is given, opened once by whoever runs it (bin/ or a test), closed last.
//
//   openHouse(settings) -> { nexus, redis x3, log, metrics } -> services/*/main open(house, settings) -> Running

import type { Redis } from "ioredis";
import type { Logger } from "pino";
import type { Metrics } from "./metrics/metrics.js";
import type { Nexus } from "./nexus/nexus.js";

export type Log = Logger;

export interface House {
  /** Names this installation in every Redis key, so that several share one Redis. */
  readonly cluster: string;
  readonly nexus: Nexus;
  /**
   * Three roles, one URL or three; roles of the same URL share a connection. All fail fast: with Redis away a command rejects
   * at once (nothing was run), in flight when the connection dies it rejects too (it may have run). See connect.ts.
   */
  readonly redis: { readonly discovery: Redis; readonly state: Redis; readonly shares: Redis };
  readonly log: Log;
  readonly metrics: Metrics;
  /** After every service in it is closed: leaves discovery, closes sockets and connections, sends the last metrics. Safe twice. */
  close(): Promise<void>;
}

/** A service that runs in this process. */
export interface Running {
  /** Announce and finish: takes nothing new, completes what it has. At most timeoutMs. */
  drain(timeoutMs: number): Promise<void>;
  /** Leaves at once; safe twice, and after drain. */
  close(): Promise<void>;
}

/** Every services/x/main.ts exports one of these as `open`: resolves when the instance is ready and discoverable. */
export type OpenService<Settings> = (house: House, settings: Settings) => Promise<Running>;
