-- An endpoint is ready when its earliest delivery is due and its pause is over.
local function refresh_ready(ready, pauses, deliver, endpoint)
  local first = redis.call('ZRANGE', deliver, 0, 0, 'WITHSCORES')
  if not first[2] then
    redis.call('ZREM', ready, endpoint)
    return
  end
  local pause = tonumber(redis.call('HGET', pauses, endpoint) or 0)
  redis.call('ZADD', ready, whole(math.max(tonumber(first[2]), pause)), endpoint)
end

-- Keeps the index of endpoints with dead deliveries: by the time of the oldest.
local function refresh_buried(buried, dead, endpoint)
  local oldest = redis.call('ZRANGE', dead, 0, 0, 'WITHSCORES')
  if oldest[2] then
    redis.call('ZADD', buried, oldest[2], endpoint)
  else
    redis.call('ZREM', buried, endpoint)
  end
end
