-- layout gives the keys of a site that an older version counted the names that
-- they have today, all or nothing.
--
-- KEYS[1] -> checkpoint hash, then for each day the former and the present key of
-- its pairs, then keys that are to go, then for each day the former referrers, its
-- books and its facets.
-- ARGV: epoch expected, layout expected ('' = none), layout to write, days, keys
--       that are to go, days, and for each of these when its facets die, or 0: they
--       are the archive's.
--
-- Returns {'ok', days renamed}, {'moved'} (somebody else did, or made the site
--         anew), {'damaged', text}: nothing was written.
local expected, from, to, pairDays, gone = arg(), arg(), arg(), num(), num()
local state = call('HMGET', KEYS[1], 'epoch', 'layout', 'begun', 'done')
if (state[1] or '') ~= expected or (state[2] or '') ~= from then return {'moved'} end

local part = torn(state[3], state[4])
if part then return part end

local begun = hincr(KEYS[1], 'begun', 1)
local renamed = 0
for _ = 1, pairDays do
  local former, present = key(), key()
  -- What has the present name was left by an earlier life of the site. Pairs die
  -- after a while; what does not is a page's total of a site called "set".
  if call('PTTL', former) > 0 then
    call('RENAME', former, present)
    renamed = renamed + 1
  else
    call('DEL', present)
  end
end
for _ = 1, gone do call('DEL', key()) end

-- move appends the fields of a hash under the names that facets have.
local function move(hash, name, into)
  if not typed(hash, 'hash') then return end
  local old = call('HGETALL', hash)
  for i = 1, #old, 2 do
    local field = name(old[i])
    if field then into[#into + 1], into[#into + 2] = field, old[i + 1] end
  end
end
local function hourly(field)
  local letter, hour = string.match(field, '^([hb])(%d%d)$')
  return hour and (letter == 'h' and 'h' or 'H') .. hour
end
for _ = 1, num() do
  local referrers, books, facets, at = key(), key(), key(), arg()
  call('DEL', facets) -- of an earlier life of the site
  if at ~= '0' then
    local new = {}
    move(books, hourly, new)
    move(referrers, function(host) return 'r' .. host end, new)
    for i = 1, #new, 1000 do call('HSET', facets, unpack(new, i, math.min(i + 999, #new))) end
    if #new > 0 then call('EXPIREAT', facets, at) end
  end
  call('DEL', referrers)
  if typed(books, 'hash') then
    for hour = 0, 23 do
      local name = string.format('%02d', hour)
      call('HDEL', books, 'h' .. name, 'b' .. name)
    end
  end
end
call('HSET', KEYS[1], 'layout', to, 'done', begun)
return {'ok', renamed}
