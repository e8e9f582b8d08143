// A heartbeat in full: writes an instance's registration and renews its life. Most beats only renew (renew.ts).
//
// One script, because the hash, its lifetime and its place in the index must never be seen apart, because the place in the
// index is a time by Redis' own clock, and because a beat that was still under way when its instance left (or was declared
// dead) must not bring it back.
//
//   KEYS[1] instance hash   KEYS[2] index of its service   KEYS[3] index of services
//   KEYS[4] grave of the instance: exists when it left     KEYS[5] since when this Redis has known us
//   KEYS[6] generation of the service   KEYS[7] its news
//   ARGV[1] ttl ms   ARGV[2] service   ARGV[3] instance id   ARGV[4] revision   ARGV[5] channel   ARGV[6] announcement
//   ARGV[7] how long the two indexes stay, ms: until the next beat in full, and longer
//   ARGV[8...] fields and values of the hash, `revision` among them
//   returns 1 written | 0 refused: the instance has left or was declared dead
//
// The announcement is published only when the registration is new or another revision: beats themselves are silent.

import { Script } from "../../state/script.js";
import { BUMP } from "./bump.js";

export const beat = new Script(
  "discovery/beat",
  `${BUMP}
if redis.call('EXISTS', KEYS[4]) == 1 then return 0 end
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local ttl, stay = tonumber(ARGV[1]), tonumber(ARGV[7])
local before = redis.call('HGET', KEYS[1], 'revision')

redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], unpack(ARGV, 8))
redis.call('PEXPIRE', KEYS[1], ttl)
local came = redis.call('ZADD', KEYS[2], now + ttl, ARGV[3])
redis.call('ZADD', KEYS[3], 'GT', now + stay, ARGV[2])
for i = 2, 3 do
  if redis.call('PTTL', KEYS[i]) < stay then redis.call('PEXPIRE', KEYS[i], stay) end
end
redis.call('SET', KEYS[5], now, 'NX')

if before ~= ARGV[4] or came == 1 then
  bump(KEYS[6], KEYS[7], ARGV[3], now)
  redis.call('PUBLISH', ARGV[5], ARGV[6])
end
return 1
`,
);
