-- fold spreads pending changes over the keys that they are of: it takes the first
-- elements off a list of the site, applies a part of them and puts the rest
-- back at the front, all or nothing, if nobody else folded meanwhile.
--
-- KEYS[1] -> checkpoint hash, KEYS[2..4] -> those of mirrored() in prelude.lua,
-- KEYS[5] -> hash of what was made, KEYS[6] -> the list, then the sections'.
-- ARGV: epoch expected, the field that has the list's version, the version expected
--       ('' = none), elements to take,
--       m blobs to put back (in order), sections counters (of views, in the order of
--       the ranks' members, then of visitors), hashes and ranks (one group at most).
--
-- Returns {'ok', lost}, {'epoch', epoch}, {'moved', lost} (somebody else folded),
--         {'damaged', text}: nothing was written.
local expected, field, version = arg(), arg(), arg()
mirrored()
local made, list = key(), key()

local state = call('HMGET', KEYS[1], 'epoch', field, 'begun', 'done', 'lost')
if (state[1] or '') ~= expected then return {'epoch', state[1] or ''} end
if (state[2] or '') ~= version then return {'moved', tonumber(state[5] or 0)} end

local part = torn(state[3], state[4])
if part then return part end

local take, back = num(), {}
if call('LLEN', list) < take then return {'damaged', list .. ': pending changes are missing'} end
for i = 1, num() do back[i] = arg() end
for _ = 1, num() do
  local name, want = key(), arg()
  if not typed(name, want) then return {'damaged', name .. ': not a ' .. want} end
end

totals = {}
local begun, err = hincr(KEYS[1], 'begun', 1)
if not begun then return {'damaged', KEYS[1] .. ': ' .. err} end
err = counters() or hashes()
if err then
  rollback()
  return {'damaged', err}
end
ranks()
noted()

call('LTRIM', list, take, -1)
for i = #back, 1, -1 do call('LPUSH', list, back[i]) end
call('HINCRBY', KEYS[1], field, 1)
noteMade(made, expected)
local gone = missed(state[5])
call('HSET', KEYS[1], 'done', begun)
return {'ok', gone}
