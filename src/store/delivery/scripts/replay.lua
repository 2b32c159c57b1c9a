-- Queues changes of one subject again. What is queued already stays as it is.
-- KEYS  pending, deliver, ready, pauses, dead, dead-about, buried, replayed
-- ARGV  endpoint, subject, now, then change and sequence in turn
local endpoint, subject, now = ARGV[1], ARGV[2], ARGV[3]
for n = 4, #ARGV, 2 do
  local change = ARGV[n]
  redis.call('HSET', KEYS[8], change, now)
  redis.call('ZADD', KEYS[1], 'NX', ARGV[n + 1], change)
  redis.call('ZREM', KEYS[5], change)
  redis.call('HDEL', KEYS[6], change)
end
redis.call('ZADD', KEYS[2], 'NX', now, subject)
refresh_buried(KEYS[7], KEYS[5], endpoint)
refresh_ready(KEYS[3], KEYS[4], KEYS[2], endpoint)
return 1
