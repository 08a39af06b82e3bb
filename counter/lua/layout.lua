-- layout gives the keys of a site that an older version counted the names that
-- they have today, all or nothing.
--
-- KEYS[1] -> checkpoint hash, then for each day the former and the present key of
-- its pairs, then keys that are to go.
-- ARGV: epoch expected, layout expected ('' = none), layout to write, days, keys
--       that are to go.
--
-- Returns {'ok', days renamed}, {'moved'} (somebody else did, or made the site
--         anew), {'damaged', text}: nothing was written.
local expected, from, to = arg(), arg(), arg()
local state = call('HMGET', KEYS[1], 'epoch', 'layout', 'begun', 'done')
if (state[1] or '') ~= expected or (state[2] or '') ~= from then return {'moved'} end

local part = torn(state[3], state[4])
if part then return part end

local begun = hincr(KEYS[1], 'begun', 1)
local renamed = 0
for _ = 1, num() do
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
for _ = 1, num() do call('DEL', key()) end
call('HSET', KEYS[1], 'layout', to, 'done', begun)
return {'ok', renamed}
