// What is new of a service since a watcher last asked; and forgets the instances whose life ran out.
//
// At rest the answer is "nothing, and nobody's life ends within so many ms", whatever the number of instances. Otherwise it
// is the registrations that changed; all of them for a watcher that knows nothing, that another Redis answers now, or that
// is too far behind. The index makes it a look at a few known keys, never a scan of the keyspace. One script: a beat
// between two reads would make an instance look half gone.
//
//   KEYS[1] index of the service   KEYS[2] since when this Redis has known us
//   KEYS[3] generation of the service   KEYS[4] its news
//   ARGV[1] prefix of the instance hashes of this service (the id follows; same hash tag as KEYS[1], so same slot)
//   ARGV[2..4] since, generation and size of the index as the last answer said; '' for the generation: everything, please
//   returns { since, generation, size, life, whole, { id, life left in ms, { field, value, ... } }, ... }
//     since    '' when Redis knows nothing of us: it was emptied, or is another one than before
//     life     ms until the first life ends unless renewed; 0: nobody is there
//     whole    1: the records are all there are | 0: they are those that changed; one without fields is gone
//
// The size is asked for beside the generation: it tells of whoever wrote to the index and knows nothing of generations.

// Lives are counted by the wall clock of Redis' machine. When that is set back, who died would stay listed for as long as it was set back:
// a life longer than any can be given is cut to the longest there is.

import { Script } from "../../state/script.js";
import { BUMP, NEWS_MAX } from "./bump.js";

/** The longest life without a beat that an instance may be given (RegistryOptions.ttlMs). */
export const LIFE_MAX_MS = 60_000;

export const read = new Script(
  "discovery/read",
  `${BUMP}
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local index, generation, news, prefix = KEYS[1], KEYS[3], KEYS[4], ARGV[1]

local last = redis.call('ZRANGE', index, -1, -1, 'WITHSCORES')
if last[2] and tonumber(last[2]) > now + ${LIFE_MAX_MS} then
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', index, '(' .. string.format('%.0f', now + ${LIFE_MAX_MS}), '+inf')) do
    redis.call('ZADD', index, now + ${LIFE_MAX_MS}, id)
    redis.call('PEXPIRE', prefix .. id, ${LIFE_MAX_MS})
  end
end

local first = redis.call('ZRANGE', index, 0, 0, 'WITHSCORES')
if first[2] and tonumber(first[2]) <= now then
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', index, '-inf', now)) do
    redis.call('ZREM', index, id)
    bump(generation, news, id, now)
  end
  first = redis.call('ZRANGE', index, 0, 0, 'WITHSCORES')
end
local size = redis.call('ZCARD', index)
local stands = redis.call('MGET', KEYS[2], generation)
local since, at = stands[1] or '', stands[2]
if not at then
  redis.call('SET', generation, now)
  at = redis.call('GET', generation)
end
local answer = { since, at, size, first[2] and math.ceil(first[2] - now) or 0, 0 }
if since == ARGV[2] and at == ARGV[3] and size == tonumber(ARGV[4]) then return answer end

local ids
if since == ARGV[2] and ARGV[3] ~= '' and tonumber(ARGV[3]) < tonumber(at) then
  local oldest = redis.call('ZRANGE', news, 0, 0, 'WITHSCORES')
  local reaches = redis.call('ZCARD', news) < ${NEWS_MAX} or tonumber(ARGV[3]) >= tonumber(oldest[2]) - 1
  if reaches then ids = redis.call('ZRANGEBYSCORE', news, '(' .. ARGV[3], '+inf') end
end
if not ids or #ids == 0 then
  answer[5] = 1
  ids = redis.call('ZRANGE', index, 0, -1)
end
for _, id in ipairs(ids) do
  local fields = redis.call('HGETALL', prefix .. id)
  local ends = redis.call('ZSCORE', index, id)
  if #fields > 0 and ends then
    answer[#answer + 1] = { id, math.ceil(ends - now), fields }
  else
    redis.call('ZREM', index, id)
    if answer[5] == 0 then answer[#answer + 1] = { id, 0, {} } end
  end
end
return answer
`,
);
