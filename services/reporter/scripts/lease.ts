// The archiver's lease: one step each, or a holder whose lease has just run out would renew, or end, the next one's.

import { Script } from "../../../lib/wiring/index.js";

/** KEYS[1] lease   ARGV[1] holder   ARGV[2] ttl ms   returns 1 it is the holder's now | 0 another's */
export const takeLease = new Script(
  "reporter/take-lease",
  `
local held = redis.call('GET', KEYS[1])
if held and held ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
`,
);

/** KEYS[1] lease   ARGV[1] holder   returns 1 it is nobody's now | 0 it was not the holder's */
export const releaseLease = new Script(
  "reporter/release-lease",
  `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
`,
);
