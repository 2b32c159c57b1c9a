#!lua flags=allow-oom
-- Reserves calls in one period of a calendar window.
-- KEYS  window
-- ARGV  quota, calls wanted, start of the period, first and last time for a call in it, keep (all ms), now (empty: the
--       server's clock)
-- Gives the calls granted and the time by which that was decided.
local key, quota, wanted = KEYS[1], tonumber(ARGV[1]), tonumber(ARGV[2])
local now = tonumber(ARGV[7])
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end
if now < tonumber(ARGV[4]) or now >= tonumber(ARGV[5]) then
  return { 0, now }
end
local granted = math.min(wanted, quota - tonumber(redis.call('HGET', key, ARGV[3]) or '0'))
if granted <= 0 then
  return { 0, now }
end
for _, start in ipairs(redis.call('HKEYS', key)) do
  if tonumber(start) < tonumber(ARGV[3]) then
    redis.call('HDEL', key, start)
  end
end
redis.call('HINCRBY', key, ARGV[3], granted)
redis.call('PEXPIRE', key, ARGV[6])
return { granted, now }
