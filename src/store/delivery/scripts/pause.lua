-- Pauses an endpoint in one shard, or lets it go on (until = 0). A longer pause wins over a shorter one, and what
-- an endpoint's state holds back (a "pause" from ARGV 3 on) is not ended here.
-- KEYS  deliver, ready, pauses     ARGV  endpoint, until, lowest pause that is none of time
local deliver, ready, pauses, endpoint = KEYS[1], KEYS[2], KEYS[3], ARGV[1]
local known = tonumber(redis.call('HGET', pauses, endpoint) or '0')
if ARGV[2] == '0' then
  if known < tonumber(ARGV[3]) then
    redis.call('HDEL', pauses, endpoint)
  end
elseif tonumber(ARGV[2]) > known then
  redis.call('HSET', pauses, endpoint, ARGV[2])
end
refresh_ready(ready, pauses, deliver, endpoint)
return 1
