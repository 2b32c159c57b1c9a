#!lua flags=allow-oom
-- Prolongs a lease, or gives it back (lease time 0). Only its holder may.
-- KEYS  lease     ARGV  token, lease time (ms)
local key, lease = KEYS[1], tonumber(ARGV[2])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local held = redis.call('HMGET', key, 'token', 'owner', 'window', 'safe_from')
if held[1] ~= ARGV[1] then
  return 0
end
if lease > 0 then
  if not held[2] then
    return 0
  end
  redis.call('HSET', key, 'expires', now + lease, 'lease', lease)
  return 1
end
if held[2] then
  -- No call is under way any more: only what the windows still count remains.
  local safe_from = math.max(tonumber(held[4] or '0'), now + tonumber(held[3] or '0'))
  redis.call('HDEL', key, 'owner')
  redis.call('HSET', key, 'expires', now, 'safe_from', safe_from)
end
return 1
