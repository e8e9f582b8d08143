// Writes states of live connections, each only by its present owner or a later one.
//
// A backend that stood still may go on with what it was told before its connections were given to another one; what it then
// writes is older than what that one has written. The turn tells: it grows with every change of owner.
//
//   KEYS[i] state of a connection   ARGV[1] lifetime, ms   ARGV[3i-1] state   ARGV[3i] holder   ARGV[3i+1] turn
//   returns how many were refused: a later turn has written there

import { Script } from "../script.js";

export const save = new Script(
  "state/save",
  `
local refused = 0
for i = 1, #KEYS do
  local state, holder, turn = ARGV[3 * i - 1], ARGV[3 * i], ARGV[3 * i + 1]
  if tonumber(redis.call('HGET', KEYS[i], 'turn') or 0) > tonumber(turn) then
    refused = refused + 1
  else
    redis.call('HSET', KEYS[i], 'state', state, 'live', holder, 'turn', turn)
    redis.call('PEXPIRE', KEYS[i], ARGV[1])
  end
end
return refused
`,
);
