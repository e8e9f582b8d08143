// Lists the live instances of one service, and forgets the ones whose life ran out.
//
// The index makes it a look at a few known keys, never a scan of the keyspace. Index and hashes are read in one script: a
// beat between two reads would make an instance look half gone.
//
//   KEYS[1] index of the service   KEYS[2] since when this Redis has known us
//   ARGV[1] prefix of the instance hashes of this service (the id follows; same hash tag as KEYS[1], so same slot)
//   returns { since, { life left in ms, { field, value, ... } }, ... }; since is '' when Redis knows nothing of us: it was
//   emptied, or is another one than before

import { Script } from "../../state/script.js";

export const list = new Script(
  "discovery/list",
  `
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
local found = { redis.call('GET', KEYS[2]) or '' }
local ids = redis.call('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES')
for i = 1, #ids, 2 do
  local fields = redis.call('HGETALL', ARGV[1] .. ids[i])
  if #fields == 0 then
    redis.call('ZREM', KEYS[1], ids[i])
  else
    found[#found + 1] = { math.ceil(ids[i + 1] - now), fields }
  end
end
return found
`,
);
