-- Claims due subjects of one endpoint in one shard, at most one change each.
-- KEYS  deliver, ready, pauses
-- ARGV  endpoint, now, lease end, how many, token, prefix of pending keys, prefix of attempt keys
-- Names of pending and attempt keys follow from subjects found here; they carry the same hash tag.
local deliver, ready, pauses = KEYS[1], KEYS[2], KEYS[3]
local endpoint, now, lease_end, count, token = ARGV[1], tonumber(ARGV[2]), ARGV[3], tonumber(ARGV[4]), ARGV[5]

local pause = tonumber(redis.call('HGET', pauses, endpoint) or '0')
if pause > now then
  refresh_ready(ready, pauses, deliver, endpoint)
  return {}
end
if pause > 0 then
  redis.call('HDEL', pauses, endpoint)
end

local claims = {}
local subjects = redis.call('ZRANGEBYSCORE', deliver, '-inf', now, 'LIMIT', 0, count)
for n, subject in ipairs(subjects) do
  local pending, attempt = ARGV[6] .. subject, ARGV[7] .. subject
  local head = redis.call('ZRANGE', pending, 0, 0)[1]
  if not head then
    redis.call('ZREM', deliver, subject)
    redis.call('DEL', attempt)
  else
    local held = redis.call('HMGET', attempt, 'change', 'attempts', 'first_at')
    local mine = token .. '-' .. n
    if held[1] ~= head then
      held = { head, '0', '' }
      redis.call('DEL', attempt)
      redis.call('HSET', attempt, 'change', head, 'token', mine, 'attempts', '0')
    else
      redis.call('HSET', attempt, 'token', mine)
    end
    redis.call('ZADD', deliver, 'XX', lease_end, subject)
    claims[#claims + 1] = { subject, head, mine, held[2] or '0', held[3] or '' }
  end
end
refresh_ready(ready, pauses, deliver, endpoint)
return claims
