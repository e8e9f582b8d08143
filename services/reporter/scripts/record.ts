// Records a batch of shares: each identity once, whichever backend brings it and however often.
//
// One script, because the check of an identity and everything that counts it must be one step: two backends may bring the
// same share at once, and a reporter may die between any two commands. What is in the log is counted, and nothing else is.
//
//   KEYS[1] log (stream)   KEYS[2] totals   KEYS[3] workers   KEYS[4] open round   KEYS[5] how far this spool was recorded
//   KEYS[6] this process' last turn   KEYS[7] the last turn of the process that gave these before, if any
//   ARGV[1] prefix of all other keys (same hash tag: same slot)
//   ARGV[2] length of the log, about   ARGV[3] identity ttl ms   ARGV[4] worker ttl ms
//   ARGV[5] fine bucket width ms   ARGV[6] its keep ms   ARGV[7] coarse bucket width ms   ARGV[8] its keep ms
//   ARGV[9] ttl ms of KEYS[5] and KEYS[6]
//   ARGV[10] the shares, one after the other, as PackedShares below writes them: RECORD_FIELDS pieces of text each, its length in two
//              bytes before each: identity (32 bytes), its hex, height, connection, line, worker, number of its record in the spool
//              (0: none), difficulty, hashes, achieved, job, at, block (0 or 1)
//   ARGV[11] the turn before   ARGV[12] this turn; 0: it has none
//   ARGV[13] workers with totals, at most   ARGV[14] workers that a round lists, at most
//   ARGV[15] the turn by which these were given before; 0: none. If it was the last one that was taken, they are in the log
//   returns one letter a share: r recorded | a again (redelivered) | d duplicate
//
// One argument for all: a client and Redis spend more on thirteen arguments a share than on the rest of it.
//
// A spool's records are numbered and recorded in order, so one number says which of them are in the log. It outlives the
// identities: a spool that is found on a disk weeks later, half recorded, adds only the other half.
//
// A share that is a block may come after the report that its block was accepted (they travel by different ways): it belongs to
// the round that it ended, not to the next one.
//
// A worker's name is the miner's word and costs it one share, so names are bounded. Beyond ARGV[13] the workers that were seen longest ago
// lose their totals. Beyond ARGV[14] those with the least credit leave the open round's list, and what they had is summed up there as
// leftOut; the log and its archive have each of their shares.
//
// Times are the backend's; one that lies ahead of Redis' clock counts as now, and what is older than a bucket is kept is left
// out of the hashrates (it was spooled too long to say anything about the present).

import { SHARES_MAX } from "../../../lib/contracts/index.js";
import { Script } from "../../../lib/wiring/index.js";
import type { CreditedShare } from "../ports.js";
import { TEXT_BYTES_MAX } from "../writable.js";
import { OUT_OF_TURN, WRONG } from "./types.js";

/** Workers forgotten in one call: twice as many as one can bring. */
const FORGET_MAX = 2 * SHARES_MAX;
const RECORD_FIELDS = 13;
/** `struct` reads a length and that many bytes. */
const FORMAT = `>${"Hc0".repeat(RECORD_FIELDS)}`;

export const record = new Script(
  "reporter/record",
  `${WRONG}${OUT_OF_TURN}
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local prefix = ARGV[1]

local shares, at = {}, 1
while at <= #ARGV[10] do
  local fields = { struct.unpack('${FORMAT}', ARGV[10], at) }
  shares[#shares + 1] = fields
  at = fields[${RECORD_FIELDS + 1}]
end

local function wrongKind()
  local first = wrong(KEYS[1], 'stream') or wrong(KEYS[2], 'hash') or wrong(KEYS[3], 'zset') or wrong(KEYS[4], 'string')
  if first then return first end
  local round = prefix .. 'round:' .. (redis.call('GET', KEYS[4]) or '1')
  first = wrong(round, 'hash') or wrong(round .. ':workers', 'zset')
  if first then return first end
  local heights, workers = {}, {}
  for _, fields in ipairs(shares) do
    local height, worker = fields[3], fields[6]
    if not heights[height] then
      heights[height] = true
      first = wrong(prefix .. 'seen:' .. height, 'hash')
      if first then return first end
    end
    if not workers[worker] then
      workers[worker] = true
      first = wrong(prefix .. 'worker:' .. worker, 'hash')
      if first then return first end
    end
  end
end
local refused = wrongKind() or (ARGV[12] ~= '0' and outOfTurn(KEYS[6], ARGV[11]))
if refused then return refused end

local mark, before = 0, tonumber(redis.call('GET', KEYS[5]) or '0')
local round = redis.call('GET', KEYS[4])
if not round then
  round = '1'
  redis.call('SET', KEYS[4], round)
end

-- Commands take many fields at once, as far as Lua's stack goes: a command costs more than its fields.
local function inChunks(list, each)
  for i = 1, #list, 1000 do each(i, math.min(i + 999, #list)) end
end

-- Who has brought each of these identities before, by height.
local heights = {}
for _, fields in ipairs(shares) do
  local height = heights[fields[3]]
  if not height then
    height = { seen = prefix .. 'seen:' .. fields[3], asked = {}, claims = {}, new = {} }
    heights[fields[3]] = height
  end
  height.asked[#height.asked + 1] = fields[1]
end
for _, height in pairs(heights) do
  inChunks(height.asked, function(from, to)
    local found = redis.call('HMGET', height.seen, unpack(height.asked, from, to))
    for i = from, to do height.claims[height.asked[i]] = found[i - from + 1] or nil end
  end)
end

local given = ARGV[15] ~= '0' and redis.call('GET', KEYS[7]) == ARGV[15]
local outcomes, recorded = {}, {}
for i, fields in ipairs(shares) do
  local height, identity = heights[fields[3]], fields[1]
  local claim, number = fields[4] .. '|' .. fields[5], tonumber(fields[7])
  local holder = height.claims[identity]
  mark = math.max(mark, number)
  if given or number > 0 and number <= before or holder == claim then
    outcomes[i] = 'a'
  elseif holder then
    outcomes[i] = 'd'
  else
    outcomes[i] = 'r'
    height.claims[identity] = claim
    height.new[#height.new + 1] = identity
    height.new[#height.new + 1] = claim
    recorded[#recorded + 1] = fields
  end
end

for _, height in pairs(heights) do
  inChunks(height.new, function(from, to) redis.call('HSET', height.seen, unpack(height.new, from, to)) end)
  redis.call('PEXPIRE', height.seen, ARGV[3])
end
if ARGV[12] ~= '0' then redis.call('SET', KEYS[6], ARGV[12], 'PX', ARGV[9]) end
if mark > before then redis.call('SET', KEYS[5], string.format('%.0f', mark), 'PX', ARGV[9]) end
if #recorded == 0 then return table.concat(outcomes) end

local workers = {}
local count, sum, first = 0, 0, nil
local lateCount, lateSum = 0, 0

-- Explorers and reports write a hash backwards.
local function display(hex)
  local pairs_ = {}
  for i = #hex - 1, 1, -2 do pairs_[#pairs_ + 1] = hex:sub(i, i + 1) end
  return table.concat(pairs_)
end

local function exact(number) return string.format('%.17g', number) end

local windows = {}
for i = 5, 7, 2 do windows[#windows + 1] = { width = tonumber(ARGV[i]), keep = tonumber(ARGV[i+1]), buckets = {} } end

local function fill(window, at, worker, hashes)
  if at + window.keep <= now then return end
  local index = math.floor(at / window.width)
  local sums = window.buckets[index]
  if not sums then
    sums = { [''] = 0 }
    window.buckets[index] = sums
  end
  sums[worker] = (sums[worker] or 0) + hashes
  sums[''] = sums[''] + hashes
end

for _, fields in ipairs(recorded) do
  local _, hex, height, connection, line, worker, _, difficulty, hashes, achieved, job, at, block = unpack(fields, 1, ${RECORD_FIELDS})
  redis.call('XADD', KEYS[1], '*', 'worker', worker, 'difficulty', difficulty, 'achieved', achieved, 'job', job, 'height', height,
    'connection', connection, 'line', line, 'at', at, 'block', block, 'id', hex)
  local when = math.min(tonumber(at), now)
  local credit, work = tonumber(difficulty), tonumber(hashes)
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
  fill(windows[1], when, worker, work)
  fill(windows[2], when, worker, work)
end
redis.call('XTRIM', KEYS[1], 'MAXLEN', '~', ARGV[2])

local names, scores = {}, {}
for worker, entry in pairs(workers) do
  names[#names + 1] = worker
  scores[#scores + 1] = exact(entry.last)
  scores[#scores + 1] = worker
end
-- A worker's time to live begins anew with the first share of each hundredth of it: that takes at most a hundredth off.
local slice = tonumber(ARGV[4]) / 100
inChunks(names, function(from, to)
  local lasts = redis.call('ZMSCORE', KEYS[3], unpack(names, from, to))
  for i = from, to do
    local last = tonumber(lasts[i - from + 1] or 0)
    workers[names[i]].renewed = math.floor(math.max(last, workers[names[i]].last) / slice) == math.floor(last / slice)
  end
end)
inChunks(scores, function(from, to) redis.call('ZADD', KEYS[3], 'GT', unpack(scores, from, to)) end)
for worker, entry in pairs(workers) do
  local name = prefix .. 'worker:' .. worker
  local isNew = redis.call('HINCRBY', name, 'accepted', entry.count) == entry.count
  redis.call('HINCRBYFLOAT', name, 'difficulty', exact(entry.sum))
  if isNew or not entry.renewed then redis.call('PEXPIRE', name, ARGV[4]) end
  if entry.sum > entry.late then
    redis.call('ZINCRBY', prefix .. 'round:' .. round .. ':workers', exact(entry.sum - entry.late), worker)
  end
end
redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', exact(now - tonumber(ARGV[4])))
-- A bounded number a call: after the bound was lowered it takes some.
local function excess(key, max) return math.min(redis.call('ZCARD', key) - tonumber(max), ${FORGET_MAX}) end
local forgotten = excess(KEYS[3], ARGV[13])
if forgotten > 0 then
  local gone = redis.call('ZPOPMIN', KEYS[3], forgotten)
  for i = 1, #gone, 2 do redis.call('UNLINK', prefix .. 'worker:' .. gone[i]) end
end

local open = prefix .. 'round:' .. round
redis.call('HSETNX', open, 'openedAt', exact(first))
redis.call('HINCRBY', open, 'shares', count - lateCount)
redis.call('HINCRBYFLOAT', open, 'difficulty', exact(sum - lateSum))
local crowded = excess(open .. ':workers', ARGV[14])
if crowded > 0 then
  local gone, credit = redis.call('ZPOPMIN', open .. ':workers', crowded), 0
  for i = 2, #gone, 2 do credit = credit + tonumber(gone[i]) end
  redis.call('HINCRBYFLOAT', open, 'leftOut', exact(credit))
end
redis.call('HINCRBY', KEYS[2], 'accepted', count)
redis.call('HINCRBYFLOAT', KEYS[2], 'difficulty', exact(sum))

-- Hashrates only: whatever stands there instead is gone in an hour.
local function raise(name, sums)
  local members = {}
  for member in pairs(sums) do members[#members + 1] = member end
  inChunks(members, function(from, to)
    local old = redis.pcall('HMGET', name, unpack(members, from, to))
    if old.err then return end
    local pairs_ = {}
    for i = from, to do
      pairs_[#pairs_ + 1] = members[i]
      pairs_[#pairs_ + 1] = exact(tonumber(old[i - from + 1] or 0) + sums[members[i]])
    end
    redis.pcall('HSET', name, unpack(pairs_))
  end)
end
for _, window in ipairs(windows) do
  for index, sums in pairs(window.buckets) do
    local name = prefix .. 'rate:' .. string.format('%.0f:%.0f', window.width, index * window.width)
    raise(name, sums)
    redis.pcall('PEXPIRE', name, window.keep)
  end
end
return table.concat(outcomes)
`,
);

/** Only what is writable gets here (writable.ts). */
const SHARE_BYTES_MAX = RECORD_FIELDS * (2 + TEXT_BYTES_MAX);
const SHARE_BYTES_USUAL = 256;

/** Shares as ARGV[10]. */
export class PackedShares {
  #bytes: Buffer;
  #length = 0;

  constructor(count: number) {
    this.#bytes = Buffer.allocUnsafe(count * SHARE_BYTES_USUAL + SHARE_BYTES_MAX);
  }

  get bytes(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  /** @param number Of its record in the spool; 0: none. */
  add({ share, hashes }: CreditedShare, number: number): void {
    if (this.#bytes.length - this.#length < SHARE_BYTES_MAX) {
      this.#bytes = Buffer.concat([this.#bytes], 2 * this.#bytes.length);
    }
    const { identity, connection, worker, job, block } = share;
    const id = Buffer.from(identity.buffer, identity.byteOffset, identity.byteLength);
    this.#bytes.writeUInt16BE(id.length, this.#length);
    id.copy(this.#bytes, this.#length + 2);
    this.#length += 2 + id.length;
    this.#text(id.toString("hex"));
    this.#text(String(share.height));
    this.#text(connection, "utf8");
    this.#text(String(share.line));
    this.#text(worker);
    this.#text(number === 0 ? "0" : String(number));
    this.#text(String(share.difficulty));
    this.#text(String(hashes));
    this.#text(String(share.achieved));
    this.#text(job);
    this.#text(String(share.at));
    this.#text(block ? "1" : "0");
  }

  #text(text: string, encoding: "latin1" | "utf8" = "latin1"): void {
    const length = this.#bytes.write(text, this.#length + 2, encoding);
    this.#bytes.writeUInt16BE(length, this.#length);
    this.#length += 2 + length;
  }
}
