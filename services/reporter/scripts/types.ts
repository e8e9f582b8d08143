// Types: a key that holds something else is found before the first write, and named.
//
// Redis stops a script at the first command that fails and keeps what was written before it. So a share could be marked as seen
// and not be in the log: its miner would be told `true` for nothing. With this, a script that starts to write gets to its end.

/**
 * Lua: `outOfTurn(key, after)` is an error reply when the last turn at `key` is not `after`: something that this reporter gave before is
 * missing here, or was answered too late. Nothing may be written then; the reporter asks what is there and gives the rest again, in order.
 */
export const OUT_OF_TURN = `
local function outOfTurn(key, after)
  local has = redis.call('GET', key) or '0'
  if has == after then return nil end
  return redis.error_reply('OUTOFTURN it has turn ' .. has .. ' of this reporter, not ' .. after ..
    ': it came back without its last moments, or answered too late. The reporter gives it what is missing')
end
`;

/** Lua: `wrong(key, kind)` is an error reply when there is something of another kind, otherwise nil. */
export const WRONG = `
local function wrong(key, kind)
  local found = redis.call('TYPE', key).ok
  if found == 'none' or found == kind then return nil end
  return redis.error_reply('WRONGTYPE ' .. key .. ' is a ' .. found .. ' and must be a ' .. kind ..
    ': somebody else writes there. Rename or delete it; until then nothing is recorded')
end
`;
