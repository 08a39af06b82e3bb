-- mirror_fill writes what SQL has of pages, makes them due, and opens the
-- mirror when all are written.
--
-- KEYS: checkpoint hash, state, due, mirrored totals of people and of bots.
-- ARGV: life, 1: open it, n, per page: page, people, bots ('' = leave it).
--
-- Returns {'ok'} or {'stale'}: somebody began another life.
local life, open, n = arg(), arg(), num()
local state, pages_due, taken_pv, taken_bots = key(), key(), key(), key()

local was = call('HMGET', state, 'life', 'phase', 'epoch')
if was[1] ~= life or was[2] ~= 'fill' or was[3] ~= call('HGET', KEYS[1], 'epoch') then return {'stale'} end
for _ = 1, n do
  local page, people, robots = arg(), arg(), arg()
  if people ~= '' then call('HSET', taken_pv, page, people) end
  if robots ~= '' then call('HSET', taken_bots, page, robots) end
  call('SADD', pages_due, page)
end
call('HSET', state, 'at', call('TIME')[1])
if open == '1' then call('HSET', state, 'phase', 'open') end
return {'ok'}
