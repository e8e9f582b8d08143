// Hands out the next block of numbers, and lifts a counter that went back.
//
// The counter only grows; the number that it stands for is its remainder by the limit. Redis can lose its last moments (a fail-over to a
// replica that was behind, a restart from a snapshot), and the counter goes back with them, while live processes hold what was lost. So
// callers say what they know of the counter, and where it may have gone back it skips `jump`, more than can have been lost:
//
//   another Redis process than the one that wrote it (run_id)   nobody knows yet what was lost
//   the caller knows a greater one                              it went back; another caller may know an even greater one
//
//   KEYS[1] hash: next, the counter; run, the run_id of the Redis that wrote it
//   ARGV[1] block size, 0: only lift and tell   ARGV[2] limit   ARGV[3] what the caller knows of the counter, -1: nothing
//   ARGV[4] jump   ARGV[5] the counter where neither Redis nor the caller has one, -1: do not begin
//   returns the counter before and after, as texts; two empty texts when it may not begin

import { Script } from "../script.js";

export const allot = new Script(
  "state/allot",
  `
local size, limit, known, jump, seed = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local run = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
local stored = redis.call('HMGET', KEYS[1], 'next', 'run')
local at = tonumber(stored[1] or '-1')
if at < 0 and known < 0 then
  if seed < 0 then return {'', ''} end
  at = seed
elseif known > at or stored[2] ~= run then
  at = math.max(at, known) + jump
end
local left = limit - at % limit
if size > left then at = at + left end
local after = string.format('%.0f', at + size)
if after ~= stored[1] or stored[2] ~= run then redis.call('HSET', KEYS[1], 'next', after, 'run', run) end
return {string.format('%.0f', at), after}
`,
);
