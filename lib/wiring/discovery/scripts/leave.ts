// An instance leaves, by itself or by its death certificate: gone from hash and index at once, and everyone is told.
//
// The grave keeps a beat that is still under way from digging it up again. An id is never used twice, so the grave may stay
// until no such beat can exist any more.
//
//   KEYS[1] instance hash   KEYS[2] index of its service   KEYS[3] grave
//   KEYS[4] generation of the service   KEYS[5] its news
//   ARGV[1] instance id   ARGV[2] channel   ARGV[3] announcement   ARGV[4] lifetime of the grave, ms
//   ARGV[5] why: left | died
//   returns 1 it was registered | 0 it was not (any more)

import { Script } from "../../state/script.js";
import { BUMP } from "./bump.js";

export const leave = new Script(
  "discovery/leave",
  `${BUMP}
redis.call('SET', KEYS[3], ARGV[5], 'PX', ARGV[4])
local gone = redis.call('DEL', KEYS[1]) + redis.call('ZREM', KEYS[2], ARGV[1])
local clock = redis.call('TIME')
bump(KEYS[4], KEYS[5], ARGV[1], clock[1] * 1000 + math.floor(clock[2] / 1000))
redis.call('PUBLISH', ARGV[2], ARGV[3])
if gone > 0 then return 1 end
return 0
`,
);
