-- mirror_sent notes what a sink has acknowledged: a page whose totals are still
-- those that were sent is due no longer; any other is, whoever sent it since.
--
-- KEYS: checkpoint hash, sink's set, list of all pages, hash of pages that bots
--       saw, per page: its base. ARGV: n, per page: page, people with the base,
--       bots.
--
-- Returns {'ok', pages that stay due}.
local set, hot, seen = key(), key(), key()
local left = 0
for _ = 1, num() do
  local page, people, robots = arg(), num(), num()
  local base = tonumber(call('GET', key()) or 0)
  if tonumber(call('ZSCORE', hot, page) or 0) + base == people and tonumber(call('HGET', seen, page) or 0) == robots then
    call('SREM', set, page)
  else
    call('SADD', set, page)
    left = left + 1
  end
end
return {'ok', left}
