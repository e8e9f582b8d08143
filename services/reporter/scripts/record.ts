// Records a batch of shares: each identity once, whichever backend brings it and however often.
//
// One script, because the check of an identity and everything that counts it must be one step: two backends may bring the
// same share at once, and a reporter may die between any two commands. What is in the log is counted, and nothing else is.
//
//   KEYS[1] log (stream)   KEYS[2] totals   KEYS[3] workers   KEYS[4] open round   KEYS[5] how far this spool was recorded
//   ARGV[1] prefix of all other keys (same hash tag: same slot)
//   ARGV[2] length of the log, about   ARGV[3] identity ttl ms   ARGV[4] worker ttl ms
//   ARGV[5] fine bucket width ms   ARGV[6] its keep ms   ARGV[7] coarse bucket width ms   ARGV[8] its keep ms
//   ARGV[9] ttl ms of KEYS[5]; 0: these come from no spool
//   ARGV[10...] a share each: identity (32 bytes), its hex, height, connection, line, worker, difficulty, hashes, achieved,
//              job, at, block (0 or 1), number of its record in the spool (0: none)
//   returns one letter a share: r recorded | a again (redelivered) | d duplicate
//
// A spool's records are numbered and recorded in order, so one number says which of them are in the log. It outlives the
// identities: a spool that is found on a disk weeks later, half recorded, adds only the other half.
//
// A share that is a block may come after the report that its block was accepted (they travel by different ways): it belongs to
// the round that it ended, not to the next one.
//
// Times are the backend's; one that lies ahead of Redis' clock counts as now, and what is older than a bucket is kept is left
// out of the hashrates (it was spooled too long to say anything about the present).

import { Script } from "../../../lib/wiring/index.js";
import { WRONG } from "./types.js";

/** Arguments before the shares. */
export const RECORD_HEAD = 9;

export const record = new Script(
  "reporter/record",
  `${WRONG}
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local prefix = ARGV[1]

local function wrongKind()
  local first = wrong(KEYS[1], 'stream') or wrong(KEYS[2], 'hash') or wrong(KEYS[3], 'zset') or wrong(KEYS[4], 'string')
  if first then return first end
  local round = prefix .. 'round:' .. (redis.call('GET', KEYS[4]) or '1')
  first = wrong(round, 'hash') or wrong(round .. ':workers', 'zset')
  if first then return first end
  local looked = {}
  for i = ${RECORD_HEAD + 1}, #ARGV, 13 do
    for _, name in ipairs({ 'seen:' .. ARGV[i+2], 'worker:' .. ARGV[i+5] }) do
      if not looked[name] then first = wrong(prefix .. name, 'hash') end
      if first then return first end
      looked[name] = true
    end
  end
end
local refused = wrongKind()
if refused then return refused end

local markTtl, mark, before = tonumber(ARGV[9]), 0, 0
if markTtl > 0 then before = tonumber(redis.call('GET', KEYS[5]) or '0') end
local round = redis.call('GET', KEYS[4])
if not round then
  round = '1'
  redis.call('SET', KEYS[4], round)
end

local outcomes, heights, workers, buckets = {}, {}, {}, {}
local count, sum, first = 0, 0, nil
local lateCount, lateSum = 0, 0

-- Explorers and reports write a hash backwards.
local function display(hex)
  local pairs_ = {}
  for i = #hex - 1, 1, -2 do pairs_[#pairs_ + 1] = hex:sub(i, i + 1) end
  return table.concat(pairs_)
end

local function exact(number) return string.format('%.17g', number) end

local function fill(width, keep, at, worker, hashes)
  if at + keep <= now then return end
  local name = prefix .. 'rate:' .. width .. ':' .. string.format('%.0f', math.floor(at / width) * width)
  local bucket = buckets[name]
  if not bucket then
    bucket = { keep = keep, sums = {} }
    buckets[name] = bucket
  end
  bucket.sums[worker] = (bucket.sums[worker] or 0) + hashes
  bucket.sums[''] = (bucket.sums[''] or 0) + hashes
end

for i = ${RECORD_HEAD + 1}, #ARGV, 13 do
  local identity, hex, height, connection, line, worker = ARGV[i], ARGV[i+1], ARGV[i+2], ARGV[i+3], ARGV[i+4], ARGV[i+5]
  local difficulty, hashes, achieved, job, at, block = ARGV[i+6], ARGV[i+7], ARGV[i+8], ARGV[i+9], ARGV[i+10], ARGV[i+11]
  local number = tonumber(ARGV[i+12])
  mark = math.max(mark, number)
  local seen = prefix .. 'seen:' .. height
  local claim = connection .. '|' .. line
  heights[seen] = true
  if number > 0 and number <= before then
    outcomes[#outcomes + 1] = 'a'
  elseif redis.call('HSETNX', seen, identity, claim) == 1 then
    redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[2], '*', 'worker', worker, 'difficulty', difficulty, 'achieved', achieved,
      'job', job, 'height', height, 'connection', connection, 'line', line, 'at', at, 'block', block, 'id', hex)
    local when = math.min(tonumber(at), now)
    local credit = tonumber(difficulty)
    local entry = workers[worker]
    if not entry then
      entry = { count = 0, sum = 0, last = 0, late = 0 }
      workers[worker] = entry
    end
    entry.count, entry.sum, entry.last = entry.count + 1, entry.sum + credit, math.max(entry.last, when)
    local ended = block == '1' and redis.pcall('HGET', prefix .. 'block:' .. display(hex), 'round')
    if type(ended) == 'string' then
      local closed = prefix .. 'round:' .. ended
      redis.pcall('HINCRBY', closed, 'shares', 1)
      redis.pcall('HINCRBYFLOAT', closed, 'difficulty', difficulty)
      redis.pcall('ZINCRBY', closed .. ':workers', difficulty, worker)
      if redis.call('PTTL', closed) > 0 then redis.call('PEXPIRE', closed .. ':workers', redis.call('PTTL', closed)) end
      entry.late, lateCount, lateSum = entry.late + credit, lateCount + 1, lateSum + credit
    end
    count, sum, first = count + 1, sum + credit, math.min(first or when, when)
    fill(tonumber(ARGV[5]), tonumber(ARGV[6]), when, worker, tonumber(hashes))
    fill(tonumber(ARGV[7]), tonumber(ARGV[8]), when, worker, tonumber(hashes))
    outcomes[#outcomes + 1] = 'r'
  elseif redis.call('HGET', seen, identity) == claim then
    outcomes[#outcomes + 1] = 'a'
  else
    outcomes[#outcomes + 1] = 'd'
  end
end

for seen in pairs(heights) do redis.call('PEXPIRE', seen, ARGV[3]) end
if mark > before then redis.call('SET', KEYS[5], string.format('%.0f', mark), 'PX', ARGV[9]) end
if count == 0 then return table.concat(outcomes) end

for worker, entry in pairs(workers) do
  local name = prefix .. 'worker:' .. worker
  redis.call('HINCRBY', name, 'accepted', entry.count)
  redis.call('HINCRBYFLOAT', name, 'difficulty', exact(entry.sum))
  redis.call('PEXPIRE', name, ARGV[4])
  redis.call('ZADD', KEYS[3], 'GT', exact(entry.last), worker)
  if entry.sum > entry.late then
    redis.call('ZINCRBY', prefix .. 'round:' .. round .. ':workers', exact(entry.sum - entry.late), worker)
  end
end
redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', exact(now - tonumber(ARGV[4])))

local open = prefix .. 'round:' .. round
redis.call('HSETNX', open, 'openedAt', exact(first))
redis.call('HINCRBY', open, 'shares', count - lateCount)
redis.call('HINCRBYFLOAT', open, 'difficulty', exact(sum - lateSum))
redis.call('HINCRBY', KEYS[2], 'accepted', count)
redis.call('HINCRBYFLOAT', KEYS[2], 'difficulty', exact(sum))

-- Hashrates only: whatever stands there instead is gone in an hour.
for name, bucket in pairs(buckets) do
  for worker, hashes in pairs(bucket.sums) do redis.pcall('HINCRBYFLOAT', name, worker, exact(hashes)) end
  redis.pcall('PEXPIRE', name, bucket.keep)
end
return table.concat(outcomes)
`,
);
