-- Ends one claim: 0 = not ours, 1 = done, 2 = done and the subject has more to tell. Only the holder of its token may; a second try of the same call finds the token gone.
-- KEYS  attempt, pending, deliver, ready, pauses, sent, dead, dead-about, buried, replayed,
--       the key that exists as long as the subject does
-- ARGV  verb, endpoint, subject, change, token, at, next time, text (line for `sent`, or the error), length of `sent`
local attempt, pending, deliver, ready, pauses = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local verb, endpoint, subject, change, token = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local at, next_at, text = ARGV[6], ARGV[7], ARGV[8]

local held = redis.call('HMGET', attempt, 'token', 'change', 'attempts', 'first_at')
if held[1] ~= token or held[2] ~= change then
  return 0
end

if verb == 'release' then
  redis.call('HDEL', attempt, 'token')
  redis.call('ZADD', deliver, 'XX', next_at, subject)
  refresh_ready(ready, pauses, deliver, endpoint)
  return 1
end

local attempts = tonumber(held[3] or '0') + 1
if verb == 'failed' then
  redis.call('HSET', attempt, 'attempts', attempts, 'first_at', held[4] or at, 'last_at', at, 'error', text)
  redis.call('HDEL', attempt, 'token')
  redis.call('ZADD', deliver, 'XX', next_at, subject)
  refresh_ready(ready, pauses, deliver, endpoint)
  return 1
end

-- What is left ends the delivery of this change: delivered, erased, dead.
if verb == 'dead' then
  local about = {
    subject = subject,
    sequence = redis.call('ZSCORE', pending, change) or '0',
    attempts = tostring(attempts),
    first_at = held[4] or at,
    last_at = at,
    error = text,
  }
  redis.call('ZADD', KEYS[7], at, change)
  redis.call('HSET', KEYS[8], change, cjson.encode(about))
  refresh_buried(KEYS[9], KEYS[7], endpoint)
end
-- An erased tracker must leave nothing behind: its `sent` list is not made anew.
if verb == 'delivered' and redis.call('EXISTS', KEYS[11]) == 1 then
  redis.call('LPUSH', KEYS[6], text)
  redis.call('LTRIM', KEYS[6], 0, tonumber(ARGV[9]) - 1)
end
redis.call('ZREM', pending, change)
redis.call('HDEL', KEYS[10], change)
redis.call('DEL', attempt)
local more = redis.call('EXISTS', pending)
if more == 1 then
  redis.call('ZADD', deliver, 'XX', at, subject)
else
  redis.call('ZREM', deliver, subject)
end
refresh_ready(ready, pauses, deliver, endpoint)
return 1 + more
