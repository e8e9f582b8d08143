// The client has left, says the connection's owner: its state may be claimed. An owner of former days has no say.
//
//   KEYS[1] state of the connection   ARGV[1] turn   ARGV[2] how long it can be claimed, ms
//   returns 1 released | 0 unknown, or another's by now

import { Script } from "../script.js";

export const release = new Script(
  "state/release",
  `
local turn = redis.call('HGET', KEYS[1], 'turn')
if not turn or tonumber(turn) > tonumber(ARGV[1]) then return 0 end
redis.call('HDEL', KEYS[1], 'live')
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
`,
);
