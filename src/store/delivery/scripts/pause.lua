-- Pauses an endpoint in one shard, or lets it go on (until = 0). A longer pause wins over a shorter one.
-- KEYS  deliver, ready, pauses     ARGV  endpoint, until
local deliver, ready, pauses, endpoint = KEYS[1], KEYS[2], KEYS[3], ARGV[1]
if ARGV[2] == '0' then
  redis.call('HDEL', pauses, endpoint)
elseif tonumber(ARGV[2]) > tonumber(redis.call('HGET', pauses, endpoint) or '0') then
  redis.call('HSET', pauses, endpoint, ARGV[2])
end
set_ready(deliver, ready, pauses, endpoint)
return 1
