-- mirror_done forgets a take that is in SQL.
--
-- KEYS: checkpoint hash, state, take. ARGV: life, seq, nonce.
--
-- Returns {'ok'} or {'stale'}: it is another one.
local life, seq, nonce = arg(), arg(), arg()
local state, take = key(), key()
local was = call('HMGET', state, 'life', 'open:' .. seq)
if was[1] ~= life or was[2] ~= nonce then return {'stale'} end
call('UNLINK', take)
call('HDEL', state, 'open:' .. seq)
return {'ok'}
