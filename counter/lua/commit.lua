-- commit applies one batch of one site and one segment and moves the
-- checkpoint, all or nothing, if the checkpoint is where the caller left it.
--
-- KEYS[1] -> checkpoint hash, KEYS[2..4] -> those of mirrored() in prelude.lua, then the
-- hash of what was made; the rest in the order of the sections below.
-- ARGV: epoch expected ('' = none: a new site), epoch to write (where it is
--       there already, an earlier part or a lost reply has made it), segment,
--       offset expected ('' = none), new offset, then the sections:
--   checks    n, per check (what, value): what is a command that measures
--             the key; 'STRLEN' must equal value, others must reach it
--   types     n, per key the type it must have if it exists
--   counters, hashes, ranks: see prelude.lua
--   visitors  n, per day: set, total, day total; (ttl, least, expire-at, known of the set and of
--             the day total, m, members)
--   appends   n, per key: (ttl, least, whether each write renews it 0/1, known, data)
--   online    n, 0 or 1: (trim below, trim above, ttl, m, (score, member)...)
--   lists     n, per list: m blobs that are appended to it
--
-- Returns {'ok', lost, cardinality after each check (0 for a STRLEN)..., scripts
--          that have run for the site}
--         {'dup', lost}      the checkpoint already stands at the new offset
--         {'gap', offset}    the checkpoint is elsewhere
--         {'epoch', epoch}   the site's keys are gone or were rebuilt
--         {'moved', index}   a checked key has grown: someone else wrote
--         {'lost', index}    a checked key has shrunk: Redis lost data
--         {'damaged', text}  a key has the wrong type; nothing was written
local expected, epoch, segment, from, to = arg(), arg(), arg(), arg(), arg()
mirrored()
local made = key()

local state = call('HMGET', KEYS[1], 'epoch', segment, 'begun', 'done', 'lost')
local current = state[1] or ''
if current ~= expected and current ~= epoch then return {'epoch', current} end
if (state[2] or '') ~= from then
  if state[2] == to then return {'dup', tonumber(state[5] or 0)} end
  return {'gap', state[2] or ''}
end

local part = torn(state[3], state[4])
if part then return part end
-- A daemon that did not know the site begins it anew where its checkpoint is lost. What
-- others counted is there still, and they would count it again on top of that.
if current == '' and type(pcall('HGET', made, 'epoch')) == 'string' then
  return {'damaged', KEYS[1] .. ': the checkpoint is gone, and what was counted is there'}
end

local checks = num()
local checked = {}
for i = 1, checks do
  local name, what, want = key(), arg(), num()
  local have = pcall(what, name)
  if type(have) == 'table' then return {'damaged', name .. ': ' .. have.err} end
  if what == 'GET' then have = tonumber(have or '0') end
  if not have then return {'damaged', name .. ': not a number'} end
  if have < want then return {'lost', i} end
  if what ~= 'STRLEN' then
    checked[i], after[name] = name, have
  elseif have > want then
    return {'moved', i}
  end
end
for _ = 1, num() do
  local name, want = key(), arg()
  if not typed(name, want) then return {'damaged', name .. ': not a ' .. want} end
end

local begun, err = hincr(KEYS[1], 'begun', 1)
if not begun then return {'damaged', KEYS[1] .. ': ' .. err} end
err = counters() or hashes()
if err then
  rollback()
  return {'damaged', err}
end
ranks()
noted()

-- live has a key live for ttl from now on, and at least until a moment: that of a day to
-- come, which a clock that was ahead wrote, must still be there on that day.
local function live(name, ttl, least)
  call('EXPIRE', name, ttl)
  call('EXPIREAT', name, least, 'GT')
end

local function add(name, n)
  local v = call('INCRBY', name, n)
  if after[name] then after[name] = v end
  return v
end

for _ = 1, num() do
  local set, total, today = key(), key(), key()
  local ttl, least, at, knownSet, knownDay, m = arg(), arg(), arg(), arg(), arg(), num()
  local added, i = 0, 0
  while i < m do
    local n = math.min(m - i, 1000)
    added = added + call('SADD', set, unpack(ARGV, a + i + 1, a + i + n))
    i = i + n
  end
  a = a + m
  live(set, ttl, least)
  if added > 0 then
    if after[set] == 0 then fresh(knownSet) end
    after[set] = after[set] and after[set] + added
    if add(total, added) == added then fresh('uall') end
    if at ~= '0' and add(today, added) == added then
      fresh(knownDay)
      call('EXPIREAT', today, at)
    end
  end
end

for _ = 1, num() do
  local name, ttl, least, renew, known, data = key(), arg(), arg(), arg(), arg(), arg()
  local none = call('APPEND', name, data) == #data
  if none then fresh(known) end
  if none or renew == '1' then live(name, ttl, least) end
end

for _ = 1, num() do
  local name, below, above, ttl, m = key(), arg(), arg(), arg(), num()
  call('ZREMRANGEBYSCORE', name, '-inf', below)
  call('ZREMRANGEBYSCORE', name, above, '+inf')
  for _ = 1, m do
    local score, member = arg(), arg()
    call('ZADD', name, 'GT', score, member)
  end
  call('EXPIRE', name, ttl)
end

for _ = 1, num() do
  local name, m = key(), num()
  call('RPUSH', name, unpack(ARGV, a + 1, a + m))
  a = a + m
end

noteMade(made, epoch, current == '')
local gone = missed(state[5])
-- Where nothing was applied in part, as many scripts ended as began.
if current == '' then
  call('HSET', KEYS[1], 'epoch', epoch, 'layout', newLayout, segment, to, 'done', begun)
else
  call('HSET', KEYS[1], segment, to, 'done', begun)
end

local reply = {'ok', gone}
for i = 1, checks do reply[i + 2] = checked[i] and after[checked[i]] or 0 end
reply[checks + 3] = begun
return reply
