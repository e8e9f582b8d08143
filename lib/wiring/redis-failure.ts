// What a failed Redis command says to people. ioredis speaks of its own options there.

import { messageOf } from "../thrown.js";

/** ioredis' words, as a pattern, and what they mean. */
const MEANINGS: readonly (readonly [RegExp, string])[] = [
  [/Stream isn't writeable|Connection is closed|ECONNREFUSED|EPIPE|ECONNRESET/, "there is no connection to it"],
  [/Command timed out|Socket timeout|ETIMEDOUT/, "it did not answer in time"],
  [/^LOADING/, "it is still loading its data"],
  [/^BUSY/, "a script keeps it busy"],
  [/^READONLY/, "it is a replica, which takes no writes"],
  [/^OOM/, "its memory is full (maxmemory)"],
  [/^NOAUTH|^WRONGPASS/, "it refuses the user or password"],
  [/max number of clients/, "it has its maximum number of clients (maxclients)"],
];

/** Completes "Redis: ...". */
export function redisFailure(error: unknown): string {
  const text = messageOf(error);
  return MEANINGS.find(([words]) => words.test(text))?.[1] ?? text;
}
