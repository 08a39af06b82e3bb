-- Shared by the scripts that write counters. KEYS[1] is the site's checkpoint hash;
-- the other keys and arguments are consumed in order by two cursors.
--
-- Redis does not roll back. So everything that can fail is either checked
-- before the first write, or done first and undone here when it fails.
-- What is used for each argument is local: a global is looked up each time.
local call, pcall, KEYS, ARGV, tonumber = redis.call, redis.pcall, KEYS, ARGV, tonumber
local k, a = 1, 0

local function key() k = k + 1; return KEYS[k] end
local function arg() a = a + 1; return ARGV[a] end
local function num() a = a + 1; return tonumber(ARGV[a]) end

local undo = {}

-- rollback takes back every increment made so far; a key or field that the
-- increment created is removed again.
local function rollback()
  for i = #undo, 1, -1 do
    local u = undo[i]
    if u[1] == 'k' then
      if call('INCRBY', u[2], -u[3]) == 0 then call('DEL', u[2]) end
    else
      if call('HINCRBY', u[2], u[4], -u[3]) == 0 then call('HDEL', u[2], u[4]) end
    end
  end
end

-- lost counts keys that were known to exist and came up new. An answer may
-- never arrive, and what was written makes the key look whole. So the count is
-- kept in the checkpoint hash, which goes with the rebuild that makes it good, and
-- every answer has it. missed does that; before is what the hash had.
--
-- Nobody may know of a key any more that was there: after a start, or since it was lost a
-- minute ago. So one that comes up new is noted in the hash of what was made (Keys.Made),
-- by a mark: a letter and its period. One that is noted already was lost. Where known is
-- '1' or '0' instead of a mark, the caller knows that it must be there, or that it is not noted.
local lost, new, visitors = 0, {}, 0
local function fresh(known)
  if known == '1' then lost = lost + 1 elseif known ~= '0' then new[#new + 1] = known end
end

-- noteMade keeps what came up new, and how many visitors pages got, for the life epoch,
-- which may begin. One that is named so had its notes from then on: they were lost, and
-- nobody else knows of all that they told of.
local function noteMade(made, epoch, begins)
  if #new > 0 or begins then
    if pcall('HGET', made, 'epoch') ~= epoch then -- none, of another life, or no hash
      if not begins and string.sub(epoch, 1, 1) == 'm' then lost = lost + 1 end
      call('DEL', made)
      call('HSET', made, 'epoch', epoch)
    end
    for _, mark in ipairs(new) do
      local letter, period = string.sub(mark, 1, 1), string.sub(mark, 2)
      local have = call('HGET', made, period) or ''
      if string.find(have, letter, 1, true) then
        lost = lost + 1
      else
        call('HSET', made, period, have .. letter)
      end
    end
  end
  if visitors > 0 then pcall('HINCRBY', made, 'pages', visitors) end
end

local function missed(before)
  if lost == 0 then return tonumber(before or 0) end
  return call('HINCRBY', KEYS[1], 'lost', lost)
end

-- after has the numbers that were checked before the first write, by key, and is
-- kept up to date: to measure them again would cost as many commands.
local after = {}

-- incr adds to a counter. Returns the new value, or nil and the error.
local function incr(name, delta)
  local v = pcall('INCRBY', name, delta)
  if type(v) == 'table' then return nil, v.err end
  undo[#undo + 1] = {'k', name, delta}
  if after[name] then after[name] = v end
  return v
end

local function hincr(name, field, delta)
  local v = pcall('HINCRBY', name, field, delta)
  if type(v) == 'table' then return nil, v.err end
  undo[#undo + 1] = {'h', name, delta, field}
  return v
end

-- A Redis that is restarted with an AOF cut within a transaction may later
-- replay the first part of it on top of everything else (the dangling MULTI
-- stays in the file). So every script counts its beginning first and its end
-- last: where the two differ, a script was applied in part.
local function torn(begun, done)
  if (begun or '0') ~= (done or '0') then
    return {'damaged', KEYS[1] .. ': a commit was applied in part'}
  end
end

-- mirrored begins the notes of which pages change, if the site's pages are
-- mirrored; noted ends them. Keys: state, set of due pages, hash of pages that
-- bots saw.
local due, bots, changed
local function mirrored()
  local state = key()
  due, bots = key(), key()
  if call('EXISTS', state) == 1 then changed = {} end
end
-- A set of another type is deleted by the scrub, and the mirror begins a new life: that is
-- no reason to leave a commit half done.
local function noted()
  if not changed then return end
  for i = 1, #changed, 1000 do pcall('SADD', due, unpack(changed, i, math.min(i + 999, #changed))) end
end

-- totals, where a script sets it, gets the first counters' values: of the members of
-- the ranks, in their order. What a page's counter has is its score in the last
-- list; where they differ one of the two was lost.
local totals

-- counters: how many visitors the pages among them get, n, then per counter a key and
-- (delta, known (see fresh), expire-at or 0).
local function counters()
  visitors = num()
  for i = 1, num() do
    local name, delta, known, at = key(), arg(), arg(), arg()
    local v, err = incr(name, delta)
    if not v then return name .. ': ' .. err end
    if totals then totals[i] = v end
    if v == tonumber(delta) then
      fresh(known)
      if at ~= '0' then call('EXPIREAT', name, at) end
    end
  end
end

-- hashes: n, then per hash a key and (expire-at, known (see fresh), fields, (field, delta)...).
local function hashes()
  for _ = 1, num() do
    local name, at, known, n = key(), arg(), arg(), num()
    local none = call('EXISTS', name) == 0
    if none then fresh(known) end
    for _ = 1, n do
      local field, delta = arg(), arg()
      local v, err = hincr(name, field, delta)
      if not v then return name .. ': ' .. err end
      if changed and name == bots then changed[#changed + 1] = field end
    end
    if none and at ~= '0' then call('EXPIREAT', name, at) end
  end
end

local function typed(name, want)
  local t = call('TYPE', name)
  t = type(t) == 'table' and t.ok or t
  return t == 'none' or t == want
end

-- ranks: groups; per group known 0/1 (where it is 0 each is marked by the end of its name)
-- and z sorted sets (a key and expire-at
-- each, 0: never), then m (member, delta) that every one of them gets.
local function ranks()
  for _ = 1, num() do
    local known, z, sets, ends = arg(), num(), {}, {}
    for i = 1, z do sets[i], ends[i] = key(), arg() end
    if call('EXISTS', unpack(sets)) < z then
      for i = 1, z do
        if call('EXISTS', sets[i]) == 0 then
          fresh(known == '1' and known or 'h' .. string.match(sets[i], '[^:]*$'))
          if ends[i] ~= '0' then sets[-i] = ends[i] end
        end
      end
    end
    for j = 1, num() do
      local member, delta = arg(), arg()
      local score
      for i = 1, z do score = call('ZINCRBY', sets[i], delta, member) end
      if totals and totals[j] ~= tonumber(score) then lost = lost + 1 end
      if changed then changed[#changed + 1] = member end
    end
    for i = 1, z do
      if sets[-i] then call('EXPIREAT', sets[i], sets[-i]) end
    end
  end
end
