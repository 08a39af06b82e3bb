-- mirror_begin begins a new life of a site's mirror: what was taken is
-- forgotten, and nothing can be taken until mirror_fill opens it.
--
-- KEYS: checkpoint hash, state, due, mirrored totals of people and of bots.
-- ARGV: life to end ('' = none, '*' = whichever), new life, seconds after which
--       a life that somebody fills counts as left alone, start of takes' names.
--
-- Returns {'ok'}
--         {'busy'}    somebody is filling the mirror
--         {'stale'}   it is another life that ended
--         {'closed'}  the site has no counters, or they are being rebuilt
local old, life, patience, takes = arg(), arg(), num(), arg()
local state, pages_due, taken_pv, taken_bots = key(), key(), key(), key()

local epoch = call('HGET', KEYS[1], 'epoch')
if not epoch or string.sub(epoch, 1, 8) == 'rebuild:' then return {'closed'} end
local was = call('HMGET', state, 'life', 'phase', 'at')
local seconds = tonumber(call('TIME')[1])
if was[2] == 'fill' and seconds - tonumber(was[3]) < patience then return {'busy'} end
if old ~= '*' and (was[1] or '') ~= old then return {'stale'} end

local fields = call('HKEYS', state)
for _, f in ipairs(fields) do
  if string.sub(f, 1, 5) == 'open:' then call('UNLINK', takes .. string.sub(f, 6)) end
end
call('DEL', state)
call('UNLINK', pages_due, taken_pv, taken_bots)
-- The empty name tells later that these are still the keys that were made here.
call('SADD', pages_due, '')
call('HSET', taken_pv, '', '0')
call('HSET', taken_bots, '', '0')
call('HSET', state, 'epoch', epoch, 'life', life, 'phase', 'fill', 'at', seconds, 'seq', 0)
return {'ok'}
