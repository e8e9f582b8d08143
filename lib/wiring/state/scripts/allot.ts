// Hands out the next block of numbers, wrapping at the limit.
//
// The counter is kept below the limit: an ever-growing one would lose precision in Lua's doubles one day. Different block
// sizes may share a counter: a block that would reach over the end starts at 0 instead, and what is left of the end is
// skipped this time around.
//
//   KEYS[1] counter: the start of the next block    ARGV[1] block size   ARGV[2] limit   ARGV[3] where to start when there is none
//   returns the first number of the block

import { Script } from "../script.js";

export const allot = new Script(
  "state/allot",
  `
local size, limit = tonumber(ARGV[1]), tonumber(ARGV[2])
local start = tonumber(redis.call('GET', KEYS[1]) or ARGV[3])
if start + size > limit then start = 0 end
redis.call('SET', KEYS[1], string.format('%.0f', start + size))
return start
`,
);
