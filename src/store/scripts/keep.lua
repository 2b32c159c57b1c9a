-- Keeps what a carrier answered about a tracker, as long as the tracker is there.
-- KEYS: tracker, answer. ARGV: lifetime (ms), answer (empty: the one that is kept lives on).
local wrong = damaged({{KEYS[1], 'hash'}, {KEYS[2], 'string'}})
if wrong then return redis.error_reply(wrong) end
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
if ARGV[2] == '' then return redis.call('PEXPIRE', KEYS[2], ARGV[1]) end
redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[1])
return 1
