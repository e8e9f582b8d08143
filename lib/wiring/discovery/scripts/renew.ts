// A heartbeat that changes nothing: renews the life of a registration that stands as its owner knows it.
//
//   KEYS[1] instance hash   KEYS[2] index of its service
//   ARGV[1] ttl ms   ARGV[2] instance id   ARGV[3] revision
//   returns 1 renewed | 0 it does not stand so (expired, another revision, an emptied Redis, declared dead): beat in full
//
// No look at the grave: whoever digs one takes the hash away in the same script.

import { Script } from "../../state/script.js";

export const renew = new Script(
  "discovery/renew",
  `
if redis.call('HGET', KEYS[1], 'revision') ~= ARGV[3] then return 0 end
local clock = redis.call('TIME')
local ttl = tonumber(ARGV[1])
redis.call('PEXPIRE', KEYS[1], ttl)
return 1 - redis.call('ZADD', KEYS[2], clock[1] * 1000 + math.floor(clock[2] / 1000) + ttl, ARGV[2])
`,
);
