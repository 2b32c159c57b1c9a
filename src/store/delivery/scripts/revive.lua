-- Queues up to `how many` dead deliveries of one endpoint in one shard again, oldest first.
-- KEYS  dead, dead-about, buried, deliver, ready, pauses, replayed
-- ARGV  endpoint, now, how many, prefix of pending keys
local endpoint, now = ARGV[1], ARGV[2]
local changes = redis.call('ZRANGE', KEYS[1], 0, tonumber(ARGV[3]) - 1)
for _, change in ipairs(changes) do
  local text = redis.call('HGET', KEYS[2], change)
  if text then
    local about = cjson.decode(text)
    redis.call('HSET', KEYS[7], change, now)
    redis.call('ZADD', ARGV[4] .. about.subject, 'NX', about.sequence, change)
    redis.call('ZADD', KEYS[4], 'NX', now, about.subject)
  end
  redis.call('ZREM', KEYS[1], change)
  redis.call('HDEL', KEYS[2], change)
end
refresh_buried(KEYS[3], KEYS[1], endpoint)
refresh_ready(KEYS[5], KEYS[6], KEYS[4], endpoint)
return #changes
