// A backend takes over a live connection of which it knows nothing: reads its state, and becomes its owner in the same step.
//
//   KEYS[1] state of the connection   ARGV[1] holder   ARGV[2] turn   ARGV[3] lifetime, ms
//   returns the state | 0 unknown, or resumed by another connection meanwhile

import { Script } from "../script.js";

export const adopt = new Script(
  "state/adopt",
  `
local found = redis.call('HMGET', KEYS[1], 'state', 'turn', 'claimedBy')
local state, turn, claimedBy = found[1], found[2], found[3]
if not state or claimedBy then return 0 end
if tonumber(turn or 0) <= tonumber(ARGV[2]) then
  redis.call('HSET', KEYS[1], 'live', ARGV[1], 'turn', ARGV[2])
  redis.call('PEXPIRE', KEYS[1], ARGV[3])
end
return state
`,
);
