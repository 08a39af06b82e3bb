-- mirror_take takes the changes of some due pages: what their totals have grown
-- by since they were last taken.
--
-- KEYS: checkpoint hash, state, due, mirrored totals of people and of bots, list
--       of all pages, hash of pages that bots saw, take.
-- ARGV: life and seq expected, nonce, pages at most (up to 1000).
--
-- Returns {'ok', pages, changes}  taken as seq + 1, unless there are no changes
--         {'stale'}      another life, or none that is open
--         {'moved'}      somebody else took
--         {'lost'}       a key is gone, or was written anew: it lacks the empty name
--         {'damaged', text}
local life, seq, nonce, most = arg(), num(), arg(), arg()
local state, pages_due, taken_pv, taken_bots, hot, seen, take =
  key(), key(), key(), key(), key(), key(), key()

local at = call('HMGET', KEYS[1], 'epoch', 'begun', 'done')
local now = call('HMGET', state, 'epoch', 'life', 'phase', 'seq')
if now[1] ~= at[1] or now[2] ~= life or now[3] ~= 'open' then return {'stale'} end
if tonumber(now[4]) ~= seq then return {'moved'} end
local part = torn(at[2], at[3])
if part then return part end
if call('SISMEMBER', pages_due, '') == 0 or call('HEXISTS', taken_pv, '') == 0 or call('HEXISTS', taken_bots, '') == 0 then
  return {'lost'}
end
if call('SCARD', pages_due) == 1 then return {'ok', 0} end

local begun = call('HINCRBY', KEYS[1], 'begun', 1)
call('SREM', pages_due, '')
local pages = call('SPOP', pages_due, most)
call('SADD', pages_due, '')
local changes = {}
local function compare(totals, key_taken, mark)
  local taken, set, gone = call('HMGET', key_taken, unpack(pages)), {}, {}
  for i, page in ipairs(pages) do
    local total, was = tonumber(totals[i] or 0), tonumber(taken[i] or 0)
    if total ~= was then
      changes[#changes + 1] = mark .. page
      changes[#changes + 1] = string.format('%d', total - was)
      if total == 0 then
        gone[#gone + 1] = page
      else
        set[#set + 1] = page
        set[#set + 1] = string.format('%d', total)
      end
    end
  end
  if #set > 0 then call('HSET', key_taken, unpack(set)) end
  if #gone > 0 then call('HDEL', key_taken, unpack(gone)) end
end
compare(call('ZMSCORE', hot, unpack(pages)), taken_pv, '0')
compare(call('HMGET', seen, unpack(pages)), taken_bots, '1')
if #changes > 0 then
  call('DEL', take) -- of a life whose state was lost
  for i = 1, #changes, 2000 do call('HSET', take, unpack(changes, i, math.min(i + 1999, #changes))) end
  call('HSET', state, 'seq', seq + 1, 'open:' .. (seq + 1), nonce)
end
call('HSET', KEYS[1], 'done', begun)
return {'ok', #pages, #changes / 2}
