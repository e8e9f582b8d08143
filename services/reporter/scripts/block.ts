// Records what became of a block. The first time that it counts as accepted closes the round and opens the next one.
//
// One script: two reporters may hear of the same block at once, and shares that are being recorded belong either to the round
// that it ends or to the next one, never to none.
//
//   KEYS[1] block   KEYS[2] blocks by time   KEYS[3] open round   KEYS[4] totals   KEYS[5] this process' last turn
//   ARGV[1] prefix of the rounds' keys (same hash tag)   ARGV[2] hash   ARGV[3] status   ARGV[4] confirmations
//   ARGV[5] found at, ms   ARGV[6] height   ARGV[7] worker   ARGV[8] reason or ''   ARGV[9] closed round's ttl ms
//   ARGV[10] the turn before   ARGV[11] this turn; 0: it has none   ARGV[12] ttl ms of KEYS[5]
//   returns { 1 changed | 0 old news, or nothing but more confirmations, number of the round that it closed or '' }
//
// Reports may come late, twice, and from several jobmanagers. Old news: pending after
// anything else; rejected after it was in a chain; accepted after it was
// confirmed; accepted after it was orphaned unless it has more confirmations than ever before, and a block on top of it (its chain won
// after all: one without is no longer than the chain that it lost to, and was called accepted by a daemon that knows it).

import { Script } from "../../../lib/wiring/index.js";
import { OUT_OF_TURN, WRONG } from "./types.js";

export const block = new Script(
  "reporter/block",
  `${WRONG}${OUT_OF_TURN}
local refused = wrong(KEYS[1], 'hash') or wrong(KEYS[2], 'zset') or wrong(KEYS[3], 'string') or wrong(KEYS[4], 'hash')
  or (ARGV[11] ~= '0' and outOfTurn(KEYS[5], ARGV[10]))
if refused then return refused end
if ARGV[11] ~= '0' then redis.call('SET', KEYS[5], ARGV[11], 'PX', ARGV[12]) end
local status, confirmations = ARGV[3], tonumber(ARGV[4])
local found = redis.call('HMGET', KEYS[1], 'status', 'top', 'round', 'reason')
local before, top, round = found[1], tonumber(found[2] or '-1'), found[3] or ''

local old = false
if status == 'pending' then old = before and before ~= 'pending'
elseif before == 'confirmed' then old = status == 'accepted' or status == 'rejected'
elseif before == 'accepted' then old = status == 'rejected' or (status == 'accepted' and confirmations < top)
elseif before == 'orphaned' then old = status == 'rejected' or (status == 'accepted' and confirmations <= math.max(top, 1))
end
if old then return { 0, round } end

local changed = 1
if before == status and (found[4] or '') == ARGV[8] then changed = 0 end
redis.call('HSET', KEYS[1], 'status', status, 'confirmations', ARGV[4], 'height', ARGV[6], 'worker', ARGV[7],
  'reason', ARGV[8], 'top', math.max(top, confirmations))
redis.call('HSETNX', KEYS[1], 'foundAt', ARGV[5])
redis.call('ZADD', KEYS[2], 'NX', ARGV[5], ARGV[2])

if round == '' and (status == 'accepted' or status == 'confirmed') then
  local clock = redis.call('TIME')
  local now = string.format('%.0f', clock[1] * 1000 + math.floor(clock[2] / 1000))
  round = redis.call('GET', KEYS[3]) or '1'
  local next = string.format('%.0f', tonumber(round) + 1)
  local closing = ARGV[1] .. round
  redis.call('HSETNX', closing, 'openedAt', now)
  redis.call('HSET', closing, 'closedAt', now, 'block', ARGV[2], 'height', ARGV[6])
  redis.call('PEXPIRE', closing, ARGV[9])
  redis.call('PEXPIRE', closing .. ':workers', ARGV[9])
  redis.call('HSET', ARGV[1] .. next, 'openedAt', now)
  redis.call('SET', KEYS[3], next)
  redis.call('HSET', KEYS[1], 'round', round)
  redis.call('HINCRBY', KEYS[4], 'blocks', 1)
end
return { changed, round }
`,
);
