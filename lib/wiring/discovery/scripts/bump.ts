// A change of a service, noted for those who ask what is new: part of the scripts that change something.
//
//   bump(generation key, news key, instance id, now in ms)
//
// The generation counts a service's changes; `news` has the ids that changed, scored by their newest change. So a watcher
// that knows generation g asks for what stands above g, and one question is enough when nothing does.
//
//   B1. A generation that was lost starts at the time of day in milliseconds, so it is never a number that was used before.
//   B2. `news` is bounded: who is further behind than it reaches reads everything (read.ts).

/** Ids in `news`. As many changes between two questions are rare, and then reading everything costs no more. */
export const NEWS_MAX = 1_024;
/** Nothing has changed for so long: both keys may go, and watchers read everything once. */
const NEWS_LIFE_MS = 3_600_000;

export const BUMP = `
local function bump(generation, news, id, now)
  redis.call('SET', generation, now, 'NX')
  local at = redis.call('INCR', generation)
  redis.call('ZADD', news, at, id)
  if redis.call('ZCARD', news) > ${NEWS_MAX} then redis.call('ZREMRANGEBYRANK', news, 0, 0) end
  redis.call('PEXPIRE', generation, ${NEWS_LIFE_MS})
  redis.call('PEXPIRE', news, ${NEWS_LIFE_MS})
end
`;
