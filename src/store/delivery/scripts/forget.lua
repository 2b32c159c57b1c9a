-- Ends the listing of dead deliveries that died before a time, a piece at a time.
-- KEYS  dead, dead-about, buried     ARGV  endpoint, died before (ms), how many
local changes = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', '(' .. ARGV[2], 'LIMIT', 0, tonumber(ARGV[3]))
for _, change in ipairs(changes) do
  redis.call('ZREM', KEYS[1], change)
  redis.call('HDEL', KEYS[2], change)
end
if redis.call('EXISTS', KEYS[1]) == 0 then
  redis.call('UNLINK', KEYS[2])
end
refresh_buried(KEYS[3], KEYS[1], ARGV[1])
return #changes
