-- Drops what waits for an endpoint that was disabled or deleted, a piece at a time.
-- KEYS  routes, deliver, ready, pauses, dead, dead-about, buried, replayed, sent of the endpoint itself
-- ARGV  endpoint, shop, version of the routes that no longer name it, how many, prefix of pending keys,
--       prefix of attempt keys, 1 = its dead deliveries too
-- Gives -1 when the routes are newer (it may be in use again), else 1 while something is left.
local deliver, endpoint, version = KEYS[2], ARGV[1], tonumber(ARGV[3])
local known = tonumber(redis.call('HGET', KEYS[1], ARGV[2]) or '0')
if known > version then
  return -1
end
if known < version then
  redis.call('HSET', KEYS[1], ARGV[2], ARGV[3])
end
for _, subject in ipairs(redis.call('ZRANGE', deliver, 0, tonumber(ARGV[4]) - 1)) do
  redis.call('DEL', ARGV[5] .. subject, ARGV[6] .. subject)
  redis.call('ZREM', deliver, subject)
end
local left = redis.call('EXISTS', deliver)
if left == 0 then
  redis.call('UNLINK', KEYS[8])
end
if ARGV[7] == '1' then
  redis.call('UNLINK', KEYS[5], KEYS[6], KEYS[9])
  redis.call('ZREM', KEYS[7], endpoint)
  redis.call('HDEL', KEYS[4], endpoint)
end
set_ready(deliver, KEYS[3], KEYS[4], endpoint)
return left
