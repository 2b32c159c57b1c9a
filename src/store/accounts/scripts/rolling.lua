#!lua flags=allow-oom
-- Reserves calls in a rolling window, counted in buckets.
-- KEYS  window     ARGV  quota, calls wanted, bucket (ms), horizon (ms), now (ms; empty: the server's clock)
-- Gives the calls granted and, when none, when to ask again.
local key, quota, wanted, bucket, horizon = KEYS[1], tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local now = tonumber(ARGV[5])
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end

-- A bucket counts as long as any of it may; a clock that was set back leaves later ones counted.
local first = math.floor((now - horizon) / bucket)
local used, oldest, passed = 0, nil, {}
local all = redis.call('HGETALL', key)
for n = 1, #all, 2 do
  local which = tonumber(all[n])
  if which < first then
    passed[#passed + 1] = all[n]
  else
    used = used + tonumber(all[n + 1])
    if not oldest or which < oldest then
      oldest = which
    end
  end
end
for _, field in ipairs(passed) do
  redis.call('HDEL', key, field)
end

local granted = math.min(wanted, quota - used)
if granted <= 0 then
  local again = now + horizon
  if oldest then
    again = (oldest + 1) * bucket + horizon
  end
  return { 0, math.ceil(again) }
end
redis.call('HINCRBY', key, string.format('%.0f', math.floor(now / bucket)), granted)
redis.call('PEXPIRE', key, math.ceil(horizon + 2 * bucket) + 60000)
return { granted, 0 }
