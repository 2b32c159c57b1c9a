#!lua
-- Keeps the carrier's token, if the lease is still ours.
-- KEYS  lease, token     ARGV  token of the lease, sealed token, expires at (ms)
if redis.call('HGET', KEYS[1], 'token') ~= ARGV[1] then
  return 0
end
redis.call('SET', KEYS[2], ARGV[2], 'PXAT', ARGV[3])
return 1
