-- mirror_done forgets a take that is in SQL; its pages are due to the sink from then on.
--
-- KEYS: checkpoint hash, state, take, sink's set. ARGV: life, seq, nonce, 1: there is a sink.
--
-- Returns {'ok'} or {'stale'}: it is another one.
local life, seq, nonce, sink = arg(), arg(), arg(), arg()
local state, take, sinks = key(), key(), key()
local was = call('HMGET', state, 'life', 'open:' .. seq)
if was[1] ~= life or was[2] ~= nonce then return {'stale'} end
if sink == '1' then
  local changes = pcall('HKEYS', take) -- none, or another type: it was lost
  for i = 1, #changes do changes[i] = string.sub(changes[i], 2) end
  for i = 1, #changes, 1000 do call('SADD', sinks, unpack(changes, i, math.min(i + 999, #changes))) end
end
call('UNLINK', take)
call('HDEL', state, 'open:' .. seq)
return {'ok'}
