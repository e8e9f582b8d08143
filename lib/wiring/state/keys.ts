// Keys: how everything in Redis is named, in one place.
//
//   hf:{CLUSTER}:instance:stratum:stratum-1a2b3c4d
//   \/ \_______/ \______________________________/
//   us  hash tag   what it is, from the general to the particular
//
//   K1. Every key of one installation carries its name, so that several installations share one Redis.
//   K2. The name is the hash tag: all keys of an installation live in one slot, so scripts over several of them work on a
//       Redis Cluster.

import { z } from "zod";

/** Names an installation: lower case letters, digits, dots, dashes, underscores; at most 32. */
export const clusterName = z
  .string()
  .regex(/^[a-z0-9][a-z0-9._-]{0,31}$/, "expected 1 to 32 of a-z 0-9 . _ - beginning with a letter or digit");

/** `key("pool", "instance", "stratum", id)` -> `hf:{pool}:instance:stratum:ID`. */
export function key(cluster: string, ...parts: readonly string[]): string {
  return `hf:{${cluster}}:${parts.join(":")}`;
}
