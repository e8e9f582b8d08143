// A client that came back claims the state of the session it had.
//
// One script: two backends may be asked about the same session at once (the client opened two connections, or somebody else
// presents its id), and only one of them may get the extranonce.
//
//   KEYS[1] state of the session's connection    ARGV[1] claiming connection   ARGV[2] lifetime of the claimed state, ms
//   returns the state (claimed, or claimed before by the same) | 0 unknown | 1 held: live, or claimed by another

import { Script } from "../script.js";

export const claim = new Script(
  "state/claim",
  `
local found = redis.call('HMGET', KEYS[1], 'state', 'live', 'claimedBy')
local state, live, claimedBy = found[1], found[2], found[3]
if not state then return 0 end
if claimedBy == ARGV[1] then return state end
if live or claimedBy then return 1 end
redis.call('HSET', KEYS[1], 'claimedBy', ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return state
`,
);
