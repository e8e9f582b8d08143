// A client that came back claims the state of the session it had.
//
// One script: two backends may be asked about the same session at once (the client opened two connections, or somebody else
// presents its id), and only one of them may get the extranonce. So the state is the claimer's own, and live, when this returns.
//
// A client whose connection broke before it was told its new session id comes again with the old one. Then its first claimer is
// as dead as its first connection, and what that one left behind is claimed.
//
//   KEYS[1] state of the session's connection   KEYS[2] state of the claiming connection
//   ARGV[1] claiming connection   ARGV[2] its holder   ARGV[3] its turn   ARGV[4] prefix of the keys of states
//   ARGV[5] lifetime of a live state, ms   ARGV[6] of a claimed one   ARGV[7] a holder that is known to be gone, or ''
//   returns the state (claimed, or claimed before by the same) | 0 unknown | {holder} held: live there

import { Script } from "../script.js";

export const claim = new Script(
  "state/claim",
  `
local by = ARGV[1]
local found = redis.call('HMGET', KEYS[1], 'state', 'live', 'claimedBy')
local state, live, claimedBy = found[1], found[2], found[3]
if not state then return 0 end
if claimedBy and claimedBy ~= by then
  local heir = redis.call('HMGET', ARGV[4] .. claimedBy, 'state', 'live', 'claimedBy')
  if heir[3] and heir[3] ~= by then return {''} end
  state, live = heir[1] or state, heir[2]
end
if claimedBy ~= by then
  if live and live ~= ARGV[7] then return {live} end
  if claimedBy then redis.call('HSET', ARGV[4] .. claimedBy, 'claimedBy', by) end
  redis.call('HSET', KEYS[1], 'claimedBy', by)
  redis.call('HDEL', KEYS[1], 'live')
  redis.call('PEXPIRE', KEYS[1], ARGV[6])
end
if tonumber(redis.call('HGET', KEYS[2], 'turn') or 0) <= tonumber(ARGV[3]) then
  redis.call('HSET', KEYS[2], 'state', state, 'live', ARGV[2], 'turn', ARGV[3])
  redis.call('PEXPIRE', KEYS[2], ARGV[5])
end
return state
`,
);
