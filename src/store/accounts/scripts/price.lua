#!lua
-- Keeps the price of an account's calls, if the lease is still ours.
-- KEYS  lease, price     ARGV  token of the lease, then names and values
if redis.call('HGET', KEYS[1], 'token') ~= ARGV[1] then
  return 0
end
redis.call('DEL', KEYS[2])
if #ARGV > 1 then
  redis.call('HSET', KEYS[2], unpack(ARGV, 2))
end
return 1
