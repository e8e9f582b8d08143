// Connect: how this toolkit opens a connection to Redis, by what the connection is for.
//
//   asking  commands that answer now or fail now: nothing is queued while Redis is away, nothing is sent a second time
//   ears    a subscriber: comes back by itself; whoever holds it subscribes at every `ready`
//
// The defaults of a Redis client (queue while away, send again after a reconnect) replay stale heartbeats and hide an
// outage from callers that have a better idea, such as spooling.

import type { Redis } from "ioredis";

/** Never longer: an outage of minutes must end within a second of Redis' return. Jitter: everyone reconnects at once. */
const RECONNECT_MAX_MS = 1_000;
const RECONNECT_FIRST_MS = 50;

function retryStrategy(times: number): number {
  const pauseMs = Math.min(RECONNECT_FIRST_MS * 2 ** Math.min(times, 10), RECONNECT_MAX_MS);
  return pauseMs * (0.5 + Math.random() / 2);
}

/** Longer than any command here takes on a healthy Redis, shorter than the calls that wait for it. */
const COMMAND_TIMEOUT_MS = 2_000;

/**
 * Nothing came for so long although something was asked: the socket is given up. A host that lost its power never closes it, and
 * behind a master that stands still a new one may be waiting.
 */
const SOCKET_TIMEOUT_MS = 5_000;

/** A Redis that loads its data is asked again after this; by itself the client waits a second or more. */
const LOADING_RETRY_MS = 200;

/**
 * The client waits as long for the end of a socket before it destroys it, also when that has ended already: a process that leaves
 * while Redis is away would stay for the two seconds of the default.
 */
const DISCONNECT_TIMEOUT_MS = 500;

/** Options of a connection that asks. In flight when the socket dies: rejected at once, may have run. */
export const asking = {
  lazyConnect: false, // Also for a duplicate of a lazy one: without a queue its first command would fail.
  enableOfflineQueue: false,
  autoResendUnfulfilledCommands: false,
  // 0 rejects what is in flight at the first disconnect; without it those promises would never settle.
  maxRetriesPerRequest: 0,
  commandTimeout: COMMAND_TIMEOUT_MS,
  socketTimeout: SOCKET_TIMEOUT_MS,
  retryStrategy,
  maxLoadingRetryTime: LOADING_RETRY_MS,
  keepAlive: 10_000,
  disconnectTimeout: DISCONNECT_TIMEOUT_MS,
} as const;

/** Options of a connection that listens. */
export const ears = {
  lazyConnect: false,
  enableOfflineQueue: true,
  maxRetriesPerRequest: null,
  // The client's own way to subscribe again leaves a promise that nobody holds: a Redis that stands still just then, or a
  // connection that is closed, would end the process by an unhandled rejection.
  autoResubscribe: false,
  commandTimeout: COMMAND_TIMEOUT_MS,
  socketTimeout: SOCKET_TIMEOUT_MS,
  retryStrategy,
  maxLoadingRetryTime: LOADING_RETRY_MS,
  keepAlive: 10_000,
  disconnectTimeout: DISCONNECT_TIMEOUT_MS,
} as const;

/** How a connection, and every duplicate of it, learns its secrets anew before it connects again. */
const renewals = new WeakMap<Redis, () => Partial<Redis["options"]>>();

/** From now on `secrets` is asked before every reconnect: a password may have been rotated in its file. */
export function renewing(
  redis: Redis,
  secrets: () => Partial<Redis["options"]>,
  failed: (thrown: unknown) => void,
): Redis {
  const renew = (): Partial<Redis["options"]> => {
    try {
      return secrets();
    } catch (error) {
      failed(error); // A file that is being replaced: the next try reads it again.
      return {};
    }
  };
  renewals.set(redis, renew);
  redis.on("reconnecting", () => void Object.assign(redis.options, renew()));
  return redis;
}

/** A second connection to the same place, with its way to renew its secrets. */
export function duplicate(redis: Redis, options: Partial<Redis["options"]>): Redis {
  const renew = renewals.get(redis);
  const second = redis.duplicate({ ...renew?.(), ...options });
  return renew ? renewing(second, renew, () => {}) : second;
}

/** Waits for `ready` at most timeoutMs. Resolves anyway: whoever asks then gets the connection's own error. */
export async function settled(redis: Redis, timeoutMs: number): Promise<void> {
  if (redis.status === "ready") return;
  await new Promise<void>((resolve) => {
    const done = () => {
      clearTimeout(timer);
      redis.removeListener("ready", done);
      redis.removeListener("end", done);
      resolve();
    };
    const timer = setTimeout(done, timeoutMs);
    redis.once("ready", done);
    redis.once("end", done);
  });
}
