#!lua flags=allow-oom
-- Pauses an account. Of two pauses the longer wins.
-- KEYS  pause     ARGV  until (ms), why, seal of refused credentials
local known = tonumber(redis.call('HGET', KEYS[1], 'until') or '0')
if tonumber(ARGV[1]) > known then
  redis.call('HSET', KEYS[1], 'until', ARGV[1], 'why', ARGV[2], 'refused', ARGV[3])
  redis.call('PEXPIREAT', KEYS[1], ARGV[1])
end
return 1
